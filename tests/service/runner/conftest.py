# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from runner_fakes import FileLab
from runner_world import World


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileLab:
    lab = FileLab(tmp_path / "lab")
    for name, value in lab.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))  # for an uninstalled checkout
    return lab


@pytest.fixture
def world() -> World:
    return World()
