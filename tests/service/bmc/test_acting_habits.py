# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all modules that act on a BMC have in common, and what docs/acting.md says of them."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
# A change of each module, and whether doing it a second time changes nothing.
CHANGES = {
    "bmc_power": ({"state": "off", "graceful_timeout": 0, "verify_timeout": 10}, True),
    "bmc_boot": ({"device": "pxe", "settle_seconds": 0}, True),
    "bios_settings": ({"settings": {"smt": "disabled"}}, True),
    "secure_boot": ({"enabled": True}, True),
    "bmc_led": ({"state": "on"}, True),
    "bmc_virtual_media": ({"image": "http://images.example.org/x.iso"}, True),
    "bmc_log": ({"state": "cleared"}, True),
    "bmc_account": ({"name": "monitoring", "role": "ReadOnly", "account_password": "abcdefghi"}, True),
    "bmc_firmware": (
        {
            "catalogue": [{"component": "BIOS", "version": "2.8.0", "image": "https://x.example.org/bios-2.8.0.bin"}],
            "task_timeout": 10,
        },
        True,
    ),
    "bmc_reset": ({}, False),
}
READERS = {"bmc_info", "bmc_sweep"}


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_check_mode_changes_nothing_and_twice_is_once(module, bmc, login, name):
    options, idempotent = CHANGES[name]
    check = module(name, check=True, **options, **login(bmc, drivers=["redfish"]))
    assert check["changed"] is True, check
    assert check["diff"]["before"] != check["diff"]["after"]
    assert bmc.counters.writes == [], "check mode was to change something"
    done = module(name, **options, **login(bmc, drivers=["redfish"]))
    assert done["changed"] is True, done
    assert done["diff"] == check["diff"], "the plan was what was done"
    assert bmc.counters.writes
    bmc.counters.reset()
    again = module(name, **options, **login(bmc, drivers=["redfish"]))
    assert not (idempotent and bmc.counters.writes), "the second time nothing is to be done"
    assert again["changed"] is not idempotent, again
    for result in (check, done, again):
        assert bmc.password not in str(result)
        assert "abcdefghi" not in str(result)


@pytest.mark.parametrize("name", sorted(CHANGES.keys() - {"bmc_firmware"}))
def test_an_answer_that_is_lost_is_no_failure_when_it_was_done(module, bmc, login, name):
    """The BMC drops the connection, or its answer comes too late: reading back tells, and nothing is written twice."""
    options, _idempotent = CHANGES[name]
    for path in ("*/Systems*", "*/Managers*", "*/AccountService*"):
        for method in ("POST", "PATCH"):
            bmc.faults.add(f"drop:method={method},path={path},times=1")
    result = module(name, **options, **login(bmc, drivers=["redfish"]))
    assert result.get("changed") is True, result
    assert len(bmc.counters.writes) == 1


@pytest.mark.parametrize("name", sorted(CHANGES.keys() - {"bmc_power", "bmc_firmware"}))
def test_an_answer_that_is_lost_and_nothing_done(module, bmc, login, name):
    for path in ("*/Systems*", "*/Managers*", "*/AccountService*"):
        for method in ("POST", "PATCH"):
            bmc.faults.add(f"reset:method={method},path={path}")
    short = {"down_timeout": 0.2} if name == "bmc_reset" else {"verify_timeout": 0.2}
    result = module(name, **{**CHANGES[name][0], **short}, **login(bmc, drivers=["redfish"]))
    assert result["failure"]["code"] == "unreachable", result


def test_every_module_that_acts_is_tried():
    groups = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]
    assert set(CHANGES) | READERS == set(groups["bmc"])


def rows():
    text = (ROOT / "docs" / "acting.md").read_text()
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 6:
            yield cells[0].strip("`"), cells[2:]


def over_ipmi(name):
    """Does the module make a change that can be made over IPMI?"""
    text = (ROOT / "plugins" / "modules" / f"{name}.py").read_text()
    kind = re.search(r"fleetcore\.acting\.(\w+) import CHANGE$", text, re.MULTILINE)[1]
    return importlib.import_module(f"fleetcore.acting.{kind}").CHANGE.ipmi is not None


def test_the_table_in_the_documentation_is_true():
    table = dict(rows())
    assert set(table) == {*CHANGES, "pdu_outlet", "wake_on_lan"}
    for name, (_options, idempotent) in CHANGES.items():
        over, check, twice, _read_back = table[name]
        assert (check, twice) == ("yes", "nothing" if idempotent else "again"), name
        if name != "bmc_power":
            assert over == ("Redfish, IPMI" if over_ipmi(name) else "Redfish"), name
