# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collecting and power over real HTTPS, against virtual BMCs with faults, as the modules' own code does it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time

import pytest
from fixtures_dir import fixture_dir
from fleetcore.document.model import Verdict
from fleetcore.errors import (
    AuthenticationFailed,
    CertificateInvalid,
    FleetError,
    InvalidInput,
    NotVerified,
    SessionLimit,
)
from fleetcore.host.clock import SystemClock
from fleetcore.power.attempts import open_power
from fleetcore.power.base import PowerController, PowerOptions
from fleetcore.power.options import bmc_options
from fleetcore.redfish.cache import Cache
from fleetcore.sweep.collect import collect

from fleetlab.farm import BmcSpec, Fault, PowerBehaviour, running_farm


def collected(bmc, clock):
    """Collect, as a module does."""
    return asyncio.run(collect(bmc, clock))


def options(bmc, **more):
    values = {
        "address": bmc.url,
        "username": bmc.username,
        "password": bmc.password,
        "ca_path": bmc.ca_path or None,
        "drivers": ["redfish"],
        "timeout": 5,
    }
    return bmc_options({**values, **more})


@pytest.fixture
def farm():
    """`start(spec, ...)` gives a running virtual BMC."""
    stack = []

    def start(**spec):
        context = running_farm(BmcSpec(**spec))
        running = context.__enter__()
        stack.append(context)
        return running.bmcs[0]

    yield start
    for context in stack:
        context.__exit__(None, None, None)


def cycle(bmc, state="cycle", **times):
    driver = open_power(options(bmc), SystemClock()).driver
    quick = PowerOptions(graceful_timeout=0, off_seconds=0.1, verify_timeout=6, poll_seconds=0.05)
    try:
        return PowerController(driver, SystemClock(), dataclasses.replace(quick, **times)).run(state)
    finally:
        driver.close()


def test_a_server_with_expand_over_tls(farm):
    bmc = farm(tree="server")
    device = asyncio.run(collect(options(bmc), SystemClock()))
    assert (len(device.cpus), len(device.memory), len(device.drives)) == (2, 12, 6)
    assert {item.verdict for item in device.coverage.values()} <= {Verdict.COLLECTED, Verdict.ABSENT}
    assert device.stats.logins == bmc.counters.logins == bmc.counters.logouts == 1
    assert device.stats.requests == bmc.counters.requests
    assert max(bmc.counters.by_path.values()) == 1, "each resource is asked for once"
    assert device.stats.requests <= 36, "login and logout included"


def test_expand_only_makes_it_cheaper(farm):
    with_expand, without = farm(tree="server"), farm(tree="server", expand=0, index=0)
    first, second = (asyncio.run(collect(options(bmc), SystemClock())) for bmc in (with_expand, without))
    moment = {"stats": None, "collected_at": None, "log": (), "sensors": (), "attempts": ()}
    assert dataclasses.replace(first, **moment) == dataclasses.replace(second, **moment)
    assert first.stats.requests < second.stats.requests / 2
    assert max(without.counters.by_path.values()) == 1


def test_pages(farm):
    bmc = farm(tree="server", page_size=2, expand=0)
    assert len(asyncio.run(collect(options(bmc), SystemClock())).memory) == 12


def test_dell_r750_in_few_requests(farm):
    bmc = farm(tree=str(fixture_dir("redfish", "dell-r750.tar.gz")))
    device = asyncio.run(collect(options(bmc), SystemClock()))
    assert (len(device.cpus), len(device.memory), len(device.drives), len(device.nics)) == (2, 16, 3, 4)
    assert device.stats.requests == bmc.counters.requests <= 30, "login and logout included"
    assert max(bmc.counters.by_path.values()) == 1
    assert device.stats.logins == 1


def test_dell_r750_without_expand_each_resource_once_and_the_same_document(farm):
    archive = str(fixture_dir("redfish", "dell-r750.tar.gz"))
    with_expand, without = farm(tree=archive), farm(tree=archive, expand=0, index=0)
    first, second = (asyncio.run(collect(options(bmc), SystemClock())) for bmc in (with_expand, without))
    assert max(without.counters.by_path.values()) == 1
    moment = {"stats": None, "collected_at": None}
    assert dataclasses.replace(first, **moment) == dataclasses.replace(second, **moment)


def test_a_later_run_is_not_sent_again_what_has_not_changed(farm, tmp_path):
    bmc = farm(tree=str(fixture_dir("redfish", "dell-r750.tar.gz")), expand=0)

    def run():
        bmc.counters.reset()
        cache = Cache(str(tmp_path), "bmc:443")
        device = asyncio.run(collect(options(bmc), SystemClock(), cache=cache))
        cache.save()
        return dataclasses.replace(device, stats=None, collected_at=None), bmc.counters.bytes_out

    first, whole = run()
    second, less = run()
    assert second == first
    assert less < whole / 4
    module = next(path for path in bmc.counters.by_path if "/Memory/" in path)
    bmc.update(module, {"SerialNumber": "NEW1"})
    bmc.set_power(on=bmc.power_state() != "On")
    third, _bytes = run()
    assert "NEW1" in {item.serial for item in third.memory}
    assert third.power_state != first.power_state


def test_a_whole_system_that_can_not_be_expanded_costs_one_request(farm):
    bmc = farm(
        tree=str(fixture_dir("redfish", "dell-r750.tar.gz")),
        faults=(Fault("status", path="*/Systems/System.Embedded.1", status=501),),
    )
    device = asyncio.run(collect(options(bmc), SystemClock()))
    assert (len(device.memory), len(device.drives), len(device.pcie_devices)) == (16, 3, 13)
    assert {item.verdict for item in device.coverage.values()} <= {Verdict.COLLECTED, Verdict.ABSENT}


def test_an_expanded_answer_that_takes_too_long_is_done_without(farm):
    slow = Fault("hang", path="*/Systems/System.Embedded.1", times=1)
    bmc = farm(tree=str(fixture_dir("redfish", "dell-r750.tar.gz")), faults=(slow,))
    device = asyncio.run(collect(options(bmc, timeout=4), SystemClock()))
    assert (len(device.memory), len(device.drives), len(device.pcie_devices)) == (16, 3, 13)
    assert {item.verdict for item in device.coverage.values()} == {Verdict.COLLECTED}


def test_what_could_be_read_of_a_section_is_kept(farm):
    broken = (Fault("status", path="*/Memory/A1", status=500), Fault("status", path="*/Memory/B1", status=403))
    bmc = farm(tree="server", expand=0, faults=broken)
    device = asyncio.run(collect(options(bmc), SystemClock()))
    assert len(device.memory) == 10
    coverage = device.coverage["memory"]
    assert coverage.verdict is Verdict.DENIED, "the account's rights are what to look at first"
    assert "/Memory/B1" in coverage.reason
    assert "(and 1 more)" in coverage.reason


@pytest.mark.parametrize(
    ("fault", "section", "verdict"),
    [
        (Fault("truncate", path="*/Memory*"), "memory", Verdict.FAILED),
        (Fault("garbage", path="*/Processors*"), "processors", Verdict.FAILED),
        (Fault("status", path="*/Storage*", status=500), "storage", Verdict.FAILED),
        (Fault("status", path="*/Storage*", status=403), "storage", Verdict.DENIED),
        (Fault("reset", path="*/Memory*"), "memory", Verdict.FAILED),
        (Fault("hang", path="*/Memory"), "memory", Verdict.TIMEOUT),
    ],
)
def test_a_broken_subtree_costs_its_section_only(farm, fault, section, verdict):
    bmc = farm(tree="server", faults=(fault,))
    device = asyncio.run(collect(options(bmc, timeout=4 if fault.kind == "hang" else 60), SystemClock()))
    assert device.coverage[section].verdict is verdict, device.coverage[section]
    assert device.coverage["network"].verdict is Verdict.COLLECTED
    assert device.serial
    assert bmc.counters.logouts == 1


def test_a_bmc_that_hangs_altogether_costs_its_time_out(farm):
    bmc = farm(tree="server", faults=(Fault("hang"),))
    begin = time.monotonic()
    with pytest.raises(FleetError) as caught:
        asyncio.run(collect(options(bmc, timeout=1), SystemClock()))
    assert caught.value.code == "timeout"
    assert time.monotonic() - begin < 60


def test_a_wrong_password_is_sent_once(farm):
    bmc = farm(tree="server", lockout_after=2)
    for act in (collected, open_power):
        bmc.counters.reset()
        with pytest.raises(AuthenticationFailed, match="refused the login"):
            act(options(bmc, password="wrong", drivers=["redfish", "ipmi"]), SystemClock())
        assert bmc.counters.refused == 1


def test_a_session_limit_is_said(farm):
    bmc = farm(tree="server", session_limit=0)
    with pytest.raises(SessionLimit, match="no session left"):
        asyncio.run(collect(options(bmc), SystemClock()))


def test_the_session_limit_says_what_to_do_and_passes(farm):
    bmc = farm(tree="server", session_limit=1)
    somebody = open_power(options(bmc), SystemClock()).driver
    with contextlib.closing(somebody):
        with pytest.raises(SessionLimit, match="log others out or wait until they expire") as caught:
            asyncio.run(collect(options(bmc, drivers=["redfish", "ipmi"]), SystemClock()))
        assert caught.value.code == "session_limit"
    assert asyncio.run(collect(options(bmc, sections=["power"]), SystemClock())).power_state == "on"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_basic_where_there_are_no_sessions(farm, status):
    no_sessions = Fault("status", path="*/SessionService/Sessions", method="POST", status=status)
    bmc = farm(tree="server", faults=(no_sessions,))
    device = asyncio.run(collect(options(bmc), SystemClock()))
    assert len(device.memory) == 12
    assert {item.verdict for item in device.coverage.values()} <= {Verdict.COLLECTED, Verdict.ABSENT}
    bmc.counters.reset()
    with pytest.raises(AuthenticationFailed):
        asyncio.run(collect(options(bmc, password="wrong"), SystemClock()))
    assert bmc.counters.refused == 1, "a wrong password is sent once with Basic, too"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("status", path="*/Chassis*", status=500),
        Fault("garbage", path="*/Systems/*"),
        Fault("status", path="*/Systems", status=403),
        Fault("hang", path="*/Systems"),
    ],
)
def test_logout_whatever_goes_wrong(farm, fault):
    bmc = farm(tree="server", faults=(fault,))
    with contextlib.suppress(FleetError):
        asyncio.run(collect(options(bmc, timeout=0.5), SystemClock()))
    assert bmc.counters.logins == bmc.counters.logouts == 1


@pytest.mark.parametrize("certificate", ["self-signed", "expired", "wrong-name"])
def test_certificates(farm, certificate):
    bmc = farm(tree="server", certificate=certificate)
    with pytest.raises(CertificateInvalid) as caught:
        asyncio.run(collect(options(bmc, ca_path=None), SystemClock()))
    assert bmc.counters.requests == 0, "nothing was sent, least of all the password"
    for advice in ("ca_path", bmc.fingerprint.lower(), "validate_certs: false"):
        assert advice.replace(":", "") in caught.value.message.replace(":", "")
    for more in ({"fingerprint": bmc.fingerprint}, {"validate_certs": False}):
        assert asyncio.run(collect(options(bmc, ca_path=None, sections=["power"], **more), SystemClock())).serial
    with pytest.raises(CertificateInvalid, match="not the pinned one"):
        asyncio.run(collect(options(bmc, fingerprint="00" * 32), SystemClock()))


def test_several_systems(farm):
    bmc = farm(tree="multinode")
    for act in (collected, open_power):
        with pytest.raises(InvalidInput, match="several systems") as caught:
            act(options(bmc), SystemClock())
    names = caught.value.details["systems"]
    serials = {asyncio.run(collect(options(bmc, system=name), SystemClock())).serial for name in names}
    assert len(serials) == len(names)
    with pytest.raises(FleetError, match="not behind this BMC"):
        open_power(options(bmc, system="nobody"), SystemClock())
    assert bmc.power_log == []


def test_a_board_of_accelerators_is_no_machine_to_choose_from(farm):
    """The only host is meant, by power as by collecting, where the baseboard of GPUs is a second System."""
    bmc = farm(tree="multinode")
    first, board = bmc.systems
    bmc.update(board, {"Bios": None, "Boot": None, "BiosVersion": None, "HostName": None, "Id": "HGX_Baseboard_0"})
    assert cycle(bmc).verified
    assert {event["resource"] for event in bmc.power_log} == {first}
    assert asyncio.run(collect(options(bmc), SystemClock())).serial == bmc.get(first)["SerialNumber"]
    bmc.update(board, {"HostName": "node2"})
    with pytest.raises(InvalidInput, match="several systems"):
        open_power(options(bmc), SystemClock())


# -- power -------------------------------------------------------------------------------------------------------------


def test_cycle_switches_off_and_on(farm):
    bmc = farm(tree="server", behaviour=PowerBehaviour(off_seconds=0.3, on_seconds=0.2, transition_states=True))
    result = cycle(bmc)
    assert (result.verified, result.before.value, result.after.value) == (True, "on", "on")
    assert len(bmc.power_log) == 2
    assert bmc.counters.logins == bmc.counters.logouts == 1


def test_on_is_idempotent(farm):
    bmc = farm(tree="server")
    assert cycle(bmc, "on").changed is False
    assert bmc.power_log == []


def test_soft_first_then_hard(farm):
    bmc = farm(tree="server", behaviour=PowerBehaviour(ignore_graceful=True))
    result = cycle(bmc, graceful_timeout=0.5)
    assert (result.soft, result.verified) == (False, True)
    assert [step.action for step in result.steps][:3] == ["shutdown", "wait for off", "off"]


def test_a_bmc_that_accepts_and_does_nothing(farm):
    bmc = farm(tree="server", faults=(Fault("ignore", path="*Reset"),))
    with pytest.raises(NotVerified, match="accepted 'off' 3 times"):
        cycle(bmc, verify_timeout=0.6)


def test_on_that_fails_twice(farm):
    bmc = farm(tree="server", faults=(Fault("status", path="*Reset", match='"On"', status=503, times=2),))
    assert cycle(bmc).verified
    assert len(bmc.power_log) == 2


def test_a_session_that_the_bmc_forgot(farm):
    bmc = farm(tree="server", faults=(Fault("logout", path="*Reset", times=1),))
    assert cycle(bmc).verified
    assert bmc.counters.logins == 2


def test_a_refused_off_is_no_silent_success(farm):
    bmc = farm(tree="server", faults=(Fault("status", path="*Reset", match="ForceOff", status=403),))
    with pytest.raises(FleetError) as caught:
        cycle(bmc)
    assert caught.value.code == "permission_denied"
    assert bmc.power_log == []


def test_off_that_takes_its_time(farm):
    """The BMC says On for a while, as some do for 40 seconds: it is waited for, and not told twice."""
    bmc = farm(tree="server", behaviour=PowerBehaviour(off_seconds=1.5))
    result = cycle(bmc, verify_timeout=60)
    assert result.verified
    assert [step.action for step in result.steps if not step.action.startswith("wait")] == ["off", "on"]


def test_a_bmc_that_restarts_in_the_middle_of_a_cycle(farm):
    """It forgets the session and resets connections after the power was cut: the machine still comes back."""
    faults = (Fault("logout", path="*/Systems/1", skip=1, times=1), Fault("reset", path="*/Systems/1", skip=1, times=3))
    bmc = farm(tree="server", expand=0, faults=faults)
    result = cycle(bmc, verify_timeout=60)
    assert (result.verified, bmc.power_state()) == (True, "On")
    assert [event["event"] for event in bmc.power_log] == ["off", "on"]
    assert bmc.counters.logins == 2


def test_a_login_that_fails_with_200(farm):
    """Neither taken for a login nor tried again."""
    body = '{"error": {"message": "invalid credentials"}}'
    bmc = farm(tree="server", faults=(Fault("reply", path="*/Sessions", method="POST", status=200, body=body),))
    with pytest.raises(FleetError) as caught:
        cycle(bmc)
    assert caught.value.code == "authentication_failed"
    assert bmc.counters.by_path["/redfish/v1/SessionService/Sessions"] == 1
    assert bmc.power_log == []
