# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let plain pytest import ``ansible_collections.baremetal.fleet``, as ansible-test does. Set hypothesis up."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from hypothesis import settings

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


IN_COLLECTION = ROOT.parent.parent.name == "ansible_collections"  # where ansible-test runs; there is nothing to link
if not IN_COLLECTION:
    _link_collection()

# The same examples every time, so that a run says something about the change and not about its luck.
# Plain pytest draws all of them; what is left to the Pythons of ansible-test is that the code runs there.
settings.register_profile("same", derandomize=True, deadline=None, max_examples=15 if IN_COLLECTION else 100)
# FLEET_FUZZ=2000 draws so many, and new ones each time.
settings.register_profile("fuzz", max_examples=int(os.environ.get("FLEET_FUZZ") or 100), deadline=None)
settings.load_profile("fuzz" if os.environ.get("FLEET_FUZZ") else "same")
