# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest
from runner_fakes import FileLab


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileLab:
    lab = FileLab(tmp_path / "lab")
    for name, value in lab.env.items():
        monkeypatch.setenv(name, value)
    return lab
