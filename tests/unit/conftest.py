# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let plain pytest import ``ansible_collections.baremetal.fleet``, as ansible-test does on its own."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def _link_collection() -> None:
    """Put a link to this checkout where Python finds it under the collection's name."""
    base = ROOT / "build" / "importable"
    link = base / "ansible_collections" / "baremetal" / "fleet"
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink() and link.resolve() != ROOT:
        link.unlink()  # the checkout was moved
    with contextlib.suppress(FileExistsError):
        link.symlink_to(ROOT, target_is_directory=True)
    sys.path.insert(0, str(base))


# Inside a collection tree there is nothing to do: that is where ansible-test runs.
if ROOT.parent.parent.name != "ansible_collections":
    _link_collection()
