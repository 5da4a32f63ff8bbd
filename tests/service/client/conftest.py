# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from client_support import Ansible, Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("fleetd"))
    server.init()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def ansible(tmp_path: Path, server: Server) -> Ansible:
    return Ansible(tmp_path, FLEETD_URL=server.url, FLEETD_TOKEN=server.tokens["operator"])
