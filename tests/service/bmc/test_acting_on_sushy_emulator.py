# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Acting on a Redfish service that is not of our making: sushy-emulator with its fake machines."""

from __future__ import annotations

import pytest

from fleetlab.sushy_emulator import FakeSystem, SushyEmulator

NAMES = ["one", "two"]


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    pytest.importorskip("sushy_tools")
    folder = tmp_path_factory.mktemp("emulator")
    with SushyEmulator(folder, systems=[FakeSystem(name) for name in NAMES], auth=("admin", "password")) as running:
        yield running


@pytest.fixture
def login(emulator):
    return {"address": emulator.url, "username": "admin", "password": "password", "drivers": ["redfish"]}


def test_boot_device(module, emulator, login):
    ambiguous = module("bmc_boot", device="pxe", **login)
    assert ambiguous["failure"]["code"] == "invalid_input"
    name = ambiguous["failure"]["details"]["systems"][0]
    options = {**login, "system": name, "settle_seconds": 0}
    assert module("bmc_boot", device="pxe", duration="persistent", **options)["boot"]["verified"]
    assert not module("bmc_boot", device="pxe", duration="persistent", **options)["changed"]
    assert module("bmc_boot", device="disk", duration="persistent", **options)["changed"]
