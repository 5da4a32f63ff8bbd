# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find fixtures that are too large for the repository, or not ours: recorded trees of real machines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def fixture_dir(*parts: str) -> Path:
    """Return the shared fixture (folder or file) ``parts``; skip the calling test when it is not there.

    Looked for in the environment variable ``FLEET_FIXTURES``, then in ``shared/fixtures`` beside the checkout, then one
    level further up. CI has them and fails on the skip.
    """
    if os.environ.get("FLEET_FIXTURES"):
        bases = [Path(os.environ["FLEET_FIXTURES"])]
    else:
        bases = [ROOT.parent / "shared" / "fixtures", ROOT.parent.parent / "shared" / "fixtures"]
    for base in bases:
        path = base.joinpath(*parts)
        if path.exists():
            return path
    pytest.skip(f"shared fixture {'/'.join(parts)} not found in {' or '.join(map(str, bases))} (set FLEET_FIXTURES)")
