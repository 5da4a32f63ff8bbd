# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a virtual BMC does over HTTP, seen by clients that nobody here wrote: httpx and sushy."""

from __future__ import annotations

import contextlib
import ssl
import time

import httpx
import pytest
import sushy
from sushy import auth, exceptions

from fleetlab.farm import BmcSpec, PowerBehaviour, running_farm

SYSTEM = "/redfish/v1/Systems/1"


@pytest.fixture(scope="module")
def shared():
    """One BMC for tests that change nothing."""
    with running_farm(BmcSpec(tls=False)) as farm:
        yield farm.bmcs[0]


def eventually(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)


@contextlib.contextmanager
def sushy_client(bmc, way=auth.SessionAuth):
    """sushy logged in to a BMC, with a session or with another class of sushy.auth; logged out at the end."""
    with way(bmc.username, bmc.password) as login:
        yield sushy.Sushy(bmc.url, auth=login, verify=False)


# Access


def test_only_the_root_is_open_and_two_ways_in(shared, connect):
    stranger = connect(shared, login=False)
    assert stranger.get("/redfish").json() == {"v1": "/redfish/v1/"}
    assert stranger.get("/redfish/v1/").status_code == 200
    refused = stranger.get("/redfish/v1/Systems")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="Redfish"')
    assert "NoValidSession" in refused.json()["error"]["code"]
    assert stranger.get("/redfish/v1/Systems", auth=("admin", "password")).status_code == 200
    assert stranger.get("/redfish/v1/Systems", auth=("admin", "wrong")).status_code == 401
    assert connect(shared).get("/redfish/v1/Systems/").status_code == 200


def test_session_lives_from_login_to_logout(connect, log_in):
    with running_farm(BmcSpec(tls=False)) as farm:
        client = connect(farm.bmcs[0], login=False)
        made = log_in(client, farm.bmcs[0])
        client.headers["X-Auth-Token"] = made.headers["X-Auth-Token"]
        listed = client.get("/redfish/v1/SessionService/Sessions").json()["Members"]
        assert listed == [{"@odata.id": made.headers["Location"]}]
        assert client.delete(made.headers["Location"]).status_code == 204
        assert client.get("/redfish/v1/Systems").status_code == 401
        assert (farm.bmcs[0].counters.logins, farm.bmcs[0].counters.logouts) == (1, 1)


def test_session_limit_and_timeout(connect, log_in):
    with running_farm(BmcSpec(tls=False, session_limit=2)) as farm:
        connect(farm.bmcs[0])
        connect(farm.bmcs[0])
        stranger = connect(farm.bmcs[0], login=False)
        full = log_in(stranger, farm.bmcs[0])
        assert full.status_code == 503
        assert full.json()["error"]["@Message.ExtendedInfo"][0]["MessageId"].endswith("RAC0218")
        farm.bmcs[0].access.timeout = 0.0
        assert log_in(stranger, farm.bmcs[0]).status_code == 201


def test_wrong_passwords_are_counted_and_lock_the_account(connect, log_in):
    with running_farm(BmcSpec(tls=False, lockout_after=2, lockout_seconds=2.0)) as farm:
        bmc = farm.bmcs[0]
        stranger = connect(bmc, login=False)
        assert [log_in(stranger, bmc, "wrong").status_code for _ in range(2)] == [401, 401]
        assert bmc.access.failed == 2
        assert bmc.access.locked
        assert log_in(stranger, bmc).status_code == 401
        eventually(lambda: not bmc.access.locked)
        assert log_in(stranger, bmc).status_code == 201


def test_changed_password_is_the_one_that_works(connect, log_in):
    with running_farm(BmcSpec(tls=False)) as farm:
        bmc = farm.bmcs[0]
        answer = connect(bmc).patch("/redfish/v1/AccountService/Accounts/1", json={"Password": "better-one"})
        assert answer.status_code == 200
        assert answer.json()["Password"] is None
        stranger = connect(bmc, login=False)
        assert log_in(stranger, bmc, "password").status_code == 401
        assert log_in(stranger, bmc, "better-one").status_code == 201


# Queries


def test_expand_follows_subordinates_links_or_both(shared, connect):
    client = connect(shared)

    def expanded(query):
        return client.get(f"/redfish/v1/Systems?$expand={query}").json()["Members"][0]

    plain = expanded(".")
    assert plain["SerialNumber"] == shared.serial
    assert plain["Processors"] == {"@odata.id": f"{SYSTEM}/Processors"}
    deep = expanded(".($levels=2)")
    assert len(deep["Processors"]["Members"]) == 3
    assert set(deep["Links"]["Chassis"][0]) == {"@odata.id"}
    everything = expanded("*($levels=2)")
    assert everything["Links"]["Chassis"][0]["ChassisType"] == "RackMount"
    links = client.get(f"{SYSTEM}?$expand=~").json()
    assert links["Links"]["Chassis"][0]["ChassisType"] == "RackMount"
    assert set(links["Processors"]) == {"@odata.id"}
    assert client.get("/redfish/v1/Systems?$expand=.($levels=4)").status_code == 400
    assert client.get("/redfish/v1/Systems?$expand=all").status_code == 400


def test_expanded_answer_shows_changes_of_this_bmc_only(connect):
    with running_farm([BmcSpec(tls=False), BmcSpec(tls=False)]) as farm:
        clients = [connect(bmc) for bmc in farm.bmcs]

        def states():
            answers = [client.get("/redfish/v1/Systems?$expand=.").json() for client in clients]
            return [answer["Members"][0]["PowerState"] for answer in answers]

        assert states() == ["On", "On"]
        farm.bmcs[0].set_power(False)
        assert states() == ["Off", "On"]


def test_expand_can_be_switched_off(connect):
    with running_farm(BmcSpec(tls=False, expand=0)) as farm:
        client = connect(farm.bmcs[0])
        assert "ExpandQuery" not in client.get("/redfish/v1").json()["ProtocolFeaturesSupported"]
        assert client.get("/redfish/v1/Systems?$expand=.").status_code == 501


def test_only_select_top_and_skip(shared, connect):
    client = connect(shared)
    assert client.get("/redfish/v1/Systems?only").json()["SerialNumber"] == shared.serial
    assert "Members" in client.get(f"{SYSTEM}/Memory?only").json()
    chosen = client.get(f"{SYSTEM}?$select=Model,Status/Health").json()
    assert {name for name in chosen if not name.startswith("@")} == {"Model", "Status"}
    some = client.get(f"{SYSTEM}/Memory?$skip=14&$top=1").json()
    assert [member["@odata.id"] for member in some["Members"]] == [f"{SYSTEM}/Memory/A8"]
    assert some["Members@odata.count"] == 16
    assert client.get(f"{SYSTEM}/Memory?$top=x").status_code == 400
    assert client.get(f"{SYSTEM}/Memory?$filter=x").status_code == 501


def test_pages_lead_to_all_members_also_expanded(connect):
    with running_farm(BmcSpec(tls=False, page_size=5)) as farm:
        client = connect(farm.bmcs[0])
        for start in (f"{SYSTEM}/Memory", f"{SYSTEM}/Memory?$expand=.($levels=1)"):
            found, page, pages = [], start, 0
            while page:
                answer = client.get(page).json()
                found += [member["@odata.id"] for member in answer["Members"]]
                page = answer.get("Members@odata.nextLink")
                pages += 1
            assert (pages, len(found), len(set(found))) == (4, 16, 16)
            assert ("DeviceLocator" in answer["Members"][0]) == ("expand" in start)


def test_etags(connect):
    with running_farm(BmcSpec(tls=False)) as farm:
        client = connect(farm.bmcs[0])
        etag = client.get(SYSTEM).headers["ETag"]
        same = client.get(SYSTEM, headers={"If-None-Match": etag})
        assert (same.status_code, same.content) == (304, b"")
        changed = client.patch(SYSTEM, json={"AssetTag": "A-1"}, headers={"If-Match": etag})
        assert changed.json()["AssetTag"] == "A-1"
        assert client.patch(SYSTEM, json={"AssetTag": "A-2"}, headers={"If-Match": etag}).status_code == 412
        fresh = client.get(SYSTEM, headers={"If-None-Match": etag})
        assert fresh.status_code == 200
        assert fresh.headers["ETag"] == changed.headers["ETag"] != etag


def test_head_missing_and_wrong_method(shared, connect):
    client = connect(shared)
    head = client.head(SYSTEM)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) == len(client.get(SYSTEM).content)
    gone = client.get("/redfish/v1/Systems/2")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "Base.1.18.ResourceMissingAtURI")
    assert client.delete(SYSTEM).status_code == 405
    assert client.post(SYSTEM, json={}).status_code == 405
    assert client.post(f"{SYSTEM}/Actions/ComputerSystem.Reset", content="{").status_code == 400


def test_counters(connect):
    with running_farm(BmcSpec(tls=False)) as farm:
        client, counters = connect(farm.bmcs[0]), farm.bmcs[0].counters
        counters.reset()
        size = len(client.get(SYSTEM).content) + len(client.get(f"{SYSTEM}/").content)
        assert (counters.requests, counters.bytes_out, counters.by_path) == (2, size, {SYSTEM: 2})


# Power


@pytest.mark.parametrize("session", [True, False])
@pytest.mark.parametrize("tls", [True, False])
def test_sushy_reads_and_switches(tls, session):
    way = auth.SessionAuth if session else auth.BasicAuth
    with running_farm(BmcSpec(tls=tls)) as farm, sushy_client(farm.bmcs[0], way) as root:
        bmc = farm.bmcs[0]
        system = root.get_system(SYSTEM)
        assert system.power_state == sushy.PowerState.ON
        assert len(system.processors.get_members()) == 3
        assert system.memory_summary.size_gib == 768
        assert system.storage.get_members()[0].volumes.get_members()[0].raid_type == sushy.RAIDType.RAID5
        assert root.get_manager("/redfish/v1/Managers/BMC").firmware_version == "1.42.0"
        for kind, expected in ((sushy.ResetType.FORCE_OFF, "Off"), (sushy.ResetType.ON, "On")):
            system.reset_system(kind)
            system.refresh(force=True)
            assert system.power_state.value == expected == bmc.power_state()
        assert [event["event"] for event in bmc.power_log] == ["off", "on"]
        assert bmc.counters.logins == int(session)


def test_boot_override_is_used_once():
    with running_farm(BmcSpec(tls=False)) as farm, sushy_client(farm.bmcs[0]) as root:
        system = root.get_system(SYSTEM)
        system.set_system_boot_options(sushy.BootSource.PXE, enabled=sushy.BootSourceOverrideEnabled.ONCE)
        system.refresh(force=True)
        assert system.boot.target == sushy.BootSource.PXE
        system.reset_system(sushy.ResetType.FORCE_RESTART)
        system.reset_system(sushy.ResetType.FORCE_RESTART)
        system.refresh(force=True)
        assert system.boot.enabled == sushy.BootSourceOverrideEnabled.DISABLED
        assert [(event["event"], event["boot"]) for event in farm.bmcs[0].power_log] == [
            ("restart", "Pxe"),
            ("restart", "None"),
        ]


def test_bios_settings_are_staged_and_applied_at_boot():
    with running_farm(BmcSpec(tls=False)) as farm, sushy_client(farm.bmcs[0]) as root:
        bios = root.get_system(SYSTEM).bios
        bios.set_attribute("LogicalProc", "Disabled")
        bios.refresh(force=True)
        assert (bios.attributes["LogicalProc"], bios.pending_attributes) == ("Enabled", {"LogicalProc": "Disabled"})
        with pytest.raises(exceptions.BadRequestError):
            bios.set_attribute("NoSuchThing", "1")
        farm.bmcs[0].set_power(False)
        farm.bmcs[0].set_power(True)
        bios.refresh(force=True)
        assert (bios.attributes["LogicalProc"], bios.pending_attributes) == ("Disabled", {})


def test_delays_of_power(connect, reset):
    slow = PowerBehaviour(off_seconds=1.0, on_seconds=0.3, transition_states=True)
    with running_farm(BmcSpec(tls=False, behaviour=slow)) as farm:
        bmc = farm.bmcs[0]
        client = connect(bmc)
        start = time.monotonic()
        assert reset(client, SYSTEM, "PowerCycle").status_code == 204
        assert client.get(SYSTEM).json()["PowerState"] == "PoweringOff"
        eventually(lambda: [event["event"] for event in bmc.power_log] == ["off", "on"])
        assert time.monotonic() - start >= 1.3
        assert client.get(SYSTEM).json()["PowerState"] == "On"


def test_a_newer_request_replaces_an_older_one(connect, reset):
    with running_farm(BmcSpec(tls=False, behaviour=PowerBehaviour(off_seconds=30, graceful_seconds=0.1))) as farm:
        client = connect(farm.bmcs[0])
        reset(client, SYSTEM, "ForceOff")
        reset(client, SYSTEM, "GracefulShutdown")
        eventually(lambda: farm.bmcs[0].power_state() == "Off")
        assert [event["cause"] for event in farm.bmcs[0].power_log] == ["GracefulShutdown"]


def test_operating_system_that_ignores_the_button(connect, reset):
    with running_farm(BmcSpec(tls=False, behaviour=PowerBehaviour(ignore_graceful=True))) as farm:
        bmc = farm.bmcs[0]
        client = connect(bmc)
        for kind in ("GracefulShutdown", "PushPowerButton", "GracefulRestart"):
            assert reset(client, SYSTEM, kind).status_code == 204
        assert bmc.power_state() == "On"
        reset(client, SYSTEM, "ForceOff")
        assert [event["event"] for event in bmc.power_log] == ["ignored", "ignored", "ignored", "off"]


def test_reset_types_by_power_state(connect, reset):
    with running_farm(BmcSpec(tls=False, power="Off")) as farm:
        bmc = farm.bmcs[0]
        client = connect(bmc)
        statuses = [
            reset(client, SYSTEM, kind).status_code
            for kind in ("ForceRestart", "Nmi", "ForceOff", "PushPowerButton", "On", "Nmi", "PowerCycle", "Bogus")
        ]
        assert statuses == [409, 409, 204, 204, 204, 204, 204, 400]
        assert [event["event"] for event in bmc.power_log] == ["on", "nmi", "off", "on"]
        missing = client.post(f"{SYSTEM}/Actions/ComputerSystem.Reset", json={})
        assert missing.json()["error"]["code"].endswith("ActionParameterMissing")


def test_vendors_that_refuse_what_is_already_so(connect, reset):
    with running_farm(BmcSpec(tls=False, behaviour=PowerBehaviour(refuse_same=True))) as farm:
        client = connect(farm.bmcs[0])
        assert [reset(client, SYSTEM, kind).status_code for kind in ("On", "ForceOff", "ForceOff")] == [409, 204, 409]


def test_nodes_behind_one_bmc_are_switched_apart(connect, reset):
    with running_farm(BmcSpec(tree="multinode", tls=False)) as farm:
        bmc = farm.bmcs[0]
        reset(connect(bmc), bmc.systems[1], "ForceOff")
        assert [bmc.power_state(name) for name in ("Node1", "Node2")] == ["On", "Off"]
        with pytest.raises(KeyError):
            bmc.power_state("Node3")


# Other actions


def test_restarting_bmc_is_gone_and_forgets_its_sessions(connect):
    with running_farm(BmcSpec(tls=False, bmc_reset_seconds=1.0)) as farm:
        bmc = farm.bmcs[0]
        client = connect(bmc)
        path = "/redfish/v1/Managers/BMC/Actions/Manager.Reset"
        assert client.post(path, json={"ResetType": "ForceRestart"}).status_code == 204
        with pytest.raises(httpx.TransportError):
            client.get("/redfish/v1")
        eventually(lambda: not bmc.gone)
        assert client.get("/redfish/v1").status_code == 200
        assert client.get(SYSTEM).status_code == 401


def test_led_and_what_may_not_be_written(connect):
    with running_farm(BmcSpec(tls=False)) as farm:
        client = connect(farm.bmcs[0])
        assert client.patch(SYSTEM, json={"LocationIndicatorActive": True}).json()["LocationIndicatorActive"] is True
        for body, code in (
            ({"IndicatorLED": "Purple"}, "PropertyValueNotInList"),
            ({"SerialNumber": "x"}, "PropertyNotWritable"),
            ({"Nonsense": 1}, "PropertyUnknown"),
            ({"Boot": {"BootSourceOverrideTarget": "Floppy"}}, "PropertyValueNotInList"),
            ({"Boot": {"BootOrder": ["Boot0009"]}}, "PropertyValueNotInList"),
            ({"AssetTag": "x", "Model": "x"}, "PropertyNotWritable"),
        ):
            answer = client.patch(SYSTEM, json=body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, f"Base.1.18.{code}")
        assert client.get(SYSTEM).json()["AssetTag"] == ""


def test_clear_log(connect):
    with running_farm(BmcSpec(tls=False)) as farm:
        client = connect(farm.bmcs[0])
        log = f"{SYSTEM}/LogServices/SEL"
        assert client.get(f"{log}/Entries").json()["Members@odata.count"] == 4
        assert client.post(f"{log}/Actions/LogService.ClearLog", json={}).status_code == 204
        assert client.get(f"{log}/Entries").json()["Members"] == []
        assert client.get(f"{log}/Entries/1").status_code == 404


def test_virtual_media():
    with running_farm(BmcSpec(tls=False)) as farm, sushy_client(farm.bmcs[0]) as root:
        media = root.get_manager("/redfish/v1/Managers/BMC").virtual_media.get_members()[0]
        media.insert_media("http://192.0.2.1/boot.iso")
        media.refresh(force=True)
        assert (media.inserted, media.image_name) == (True, "boot.iso")
        media.eject_media()
        media.refresh(force=True)
        assert media.inserted is False


def test_update_is_followed_as_a_task(connect):
    with running_farm(BmcSpec(tls=False, task_seconds=0.2)) as farm, sushy_client(farm.bmcs[0]) as root:
        monitor = root.get_update_service().simple_update("http://192.0.2.1/bios.bin")
        assert monitor.is_processing
        eventually(lambda: not monitor.check_is_processing)
        task = connect(farm.bmcs[0]).get("/redfish/v1/TaskService/Tasks?$expand=.").json()["Members"][0]
        assert (task["TaskState"], task["PercentComplete"]) == ("Completed", 100)


# TLS


def test_certificate_can_be_verified_or_pinned(connect):
    specs = [BmcSpec(certificate=kind) for kind in ("self-signed", "expired", "wrong-name")]
    with running_farm(specs) as farm:
        outcomes = []
        for bmc in farm.bmcs:
            with contextlib.suppress(httpx.ConnectError):
                outcomes.append(httpx.get(f"{bmc.url}/redfish", verify=tls_context(bmc)).status_code)
            assert connect(bmc).get(SYSTEM).status_code == 200
        with pytest.raises(httpx.ConnectError, match="self-signed"):
            httpx.get(f"{farm.bmcs[0].url}/redfish")
        assert outcomes == [200]
        assert len({bmc.fingerprint for bmc in farm.bmcs}) == 3


def tls_context(bmc):
    return ssl.create_default_context(cafile=bmc.ca_path)
