# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Monitors as processes, and the servers that they speak to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from monitor_fakes import Monitor, PlainServer, RealServer


@pytest.fixture
def monitors(tmp_path: Path) -> Iterator[Any]:
    made: list[Monitor] = []

    def make(url: str, name: str = "m", **options: Any) -> Monitor:
        made.append(Monitor(tmp_path / name, url, **options))
        return made[-1]

    yield make
    for monitor in made:
        if monitor.process is not None and monitor.process.poll() is None:
            monitor.process.kill()
            monitor.process.wait(60)


@pytest.fixture
def server() -> Iterator[RealServer]:
    made = RealServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def plain() -> Iterator[PlainServer]:
    made = PlainServer()
    yield made
    made.close()
