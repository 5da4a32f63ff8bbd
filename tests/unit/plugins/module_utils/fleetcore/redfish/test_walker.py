# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The walker and the interpreter against scripted trees, in any order and with any JSON."""

from __future__ import annotations

import math

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.model import (
    Verdict,
    device_from_dict,
    to_dict,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.sections import SECTIONS
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import InvalidInput, NotFound
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.ports import HttpResponse
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.answers import outcome_of
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.interpret import interpret
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.rules import RULES
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.redfish.walker import Limits, Outcome, Walker
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = "/redfish/v1"


def ref(path):
    return {"@odata.id": path}


def tree(**extra):
    """A small machine with one processor and one module of memory."""
    bodies = {
        ROOT: {"RedfishVersion": "1.6.0", "Systems": ref(f"{ROOT}/Systems"), "Chassis": ref(f"{ROOT}/Chassis/")},
        f"{ROOT}/Systems": {"Members": [ref(f"{ROOT}/Systems/a/")]},
        f"{ROOT}/Systems/a": {
            "Id": "a",
            "PowerState": "On",
            "SerialNumber": "S1",
            "Processors": ref(f"{ROOT}/Systems/a/CPU"),
            "Memory": ref("http://other.example/redfish/v1/Systems/a/Memory"),
        },
        f"{ROOT}/Systems/a/CPU": {"Members": [ref(f"{ROOT}/Systems/a/CPU/0")]},
        f"{ROOT}/Systems/a/CPU/0": {"Id": "0", "ProcessorType": "CPU", "TotalCores": 4},
        f"{ROOT}/Systems/a/Memory": {"Members": [ref("Memory/m0")]},
        f"{ROOT}/Systems/a/Memory/Memory/m0": {"Id": "m0", "CapacityMiB": 1024, "SerialNumber": "M0"},
        f"{ROOT}/Chassis": {"Members": [ref(f"{ROOT}/Chassis/c")]},
        f"{ROOT}/Chassis/c": {
            "Id": "c",
            "ChassisType": "RackMount",
            "Links": {"ComputerSystems": [ref(f"{ROOT}/Systems/a")]},
        },
    }
    bodies.update(extra.pop("bodies", {}))
    return bodies


def walk(bodies, answer=None, **options):
    """Walk a tree; every url that was asked for, and the walker."""
    walker = Walker(**options)
    asked = []
    while not walker.done:
        for want in walker.wants():
            asked.append(want.url)
            assert len(asked) < 20000
            found = answer(want) if answer else None
            if found is None:
                body = bodies.get(want.path)
                found = Outcome(Verdict.COLLECTED, body, status=200) if body is not None else missing()
            walker.took(want, found)
    return walker, asked


def missing():
    return Outcome(Verdict.ABSENT, status=404)


def document(walker):
    return interpret(walker.tree, walker.coverage())


def test_links_are_followed_in_every_form_and_each_resource_is_fetched_once():
    walker, asked = walk(tree())
    assert len(asked) == len(set(asked)) == len(tree())
    device = document(walker)
    assert [cpu.cores for cpu in device.cpus] == [4]
    assert [module.size_bytes for module in device.memory] == [2**30]
    assert device.chassis == "RackMount"
    assert device.coverage["storage"].verdict is Verdict.ABSENT


def test_sections_that_are_not_asked_for_cost_nothing():
    walker, asked = walk(tree(), sections=["power"])
    assert asked == [ROOT + "/", f"{ROOT}/Systems", f"{ROOT}/Systems/a"]
    device = document(walker)
    assert device.power_state == "on"
    assert device.coverage["power"].verdict is Verdict.COLLECTED
    assert device.coverage["memory"].verdict is Verdict.SKIPPED


def test_an_unknown_section_is_named():
    with pytest.raises(InvalidInput, match="'cpus' is not one of system"):
        Walker(["cpus"])


def two_systems(**kinds):
    bodies = tree()
    bodies[f"{ROOT}/Systems"] = {"Members": [ref(f"{ROOT}/Systems/a"), ref(f"{ROOT}/Systems/b")]}
    bodies[f"{ROOT}/Systems/b"] = {"Id": "b", "SerialNumber": "S2"}
    for name, kind in kinds.items():
        bodies[f"{ROOT}/Systems/{name}"]["SystemType"] = kind
    return bodies


def test_several_systems_are_refused_unless_one_is_named():
    walker, asked = walk(two_systems())
    assert isinstance(walker.problem, InvalidInput)
    assert "a, b" in walker.problem.message
    assert f"{ROOT}/Chassis" not in " ".join(asked)


@pytest.mark.parametrize(("name", "serial"), [("a", "S1"), ("b", "S2")])
def test_the_named_system_is_read_and_no_other(name, serial):
    walker, asked = walk(two_systems(), system=name)
    assert document(walker).serial == serial
    assert (f"{ROOT}/Systems/a/CPU" in asked) is (name == "a")
    assert len(document(walker).enclosures) == (1 if name == "a" else 0), "the chassis is that of system a"


@pytest.mark.parametrize("name", ["c", "", "A"])
def test_a_wrong_name_selects_nothing(name):
    walker, _asked = walk(two_systems(), system=name)
    assert isinstance(walker.problem, NotFound)


def test_the_only_physical_system_is_meant():
    walker, _asked = walk(two_systems(a="Physical", b="Virtual"))
    assert walker.problem is None
    assert document(walker).system_id == "a"


EXPAND = {"ProtocolFeaturesSupported": {"ExpandQuery": {"NoLinks": True, "Levels": True, "MaxLevels": 1}}}


def test_expand_saves_the_members():
    bodies = tree()
    bodies[ROOT].update(EXPAND)

    def answer(want):
        if want.path == f"{ROOT}/Systems/a/CPU":
            assert want.url.endswith("?$expand=.($levels=1)")
            member = dict(bodies[f"{ROOT}/Systems/a/CPU/0"], **ref(f"{ROOT}/Systems/a/CPU/0"))
            return Outcome(Verdict.COLLECTED, {"Members": [member]}, status=200)
        return None

    walker, asked = walk(bodies, answer)
    assert f"{ROOT}/Systems/a/CPU/0" not in asked
    assert [cpu.cores for cpu in document(walker).cpus] == [4]


@pytest.mark.parametrize("status", [400, 405, 500, 503])
def test_a_refused_expand_is_asked_plainly_and_given_up_after_the_second(status):
    bodies = tree()
    bodies[ROOT].update(EXPAND)

    def answer(want):
        return Outcome(Verdict.FAILED, status=status) if want.expanded else None

    walker, asked = walk(bodies, answer)
    assert [cpu.cores for cpu in document(walker).cpus] == [4]
    assert sum("expand" in url for url in asked) <= 4
    assert document(walker).coverage["processors"].verdict is Verdict.COLLECTED


def test_pages_are_followed_and_end():
    bodies = tree()
    path = f"{ROOT}/Systems/a/Memory"
    for page in range(3):
        here = path if page == 0 else f"{path}?$skip={page}"
        follow = f"{path}?$skip={(page + 1) % 3}" if page < 2 else path  # the last one leads back to the first
        bodies[here] = {
            "Members": [{"Id": f"m{page}", "CapacityMiB": 1, **ref(f"{path}/m{page}")}],
            "Members@odata.nextLink": follow,
        }
    walker, _asked = walk(bodies)
    assert [module.id for module in document(walker).memory] == ["m0", "m1", "m2"]


def test_links_in_circles_end():
    bodies = tree()
    bodies[f"{ROOT}/Chassis/c"]["NetworkAdapters"] = ref(f"{ROOT}/Chassis/c")
    bodies[f"{ROOT}/Chassis/c"]["Power"] = ref(ROOT)
    walker, asked = walk(bodies)
    assert len(asked) == len(set(asked))
    assert walker.done


def test_100000_members_are_cut_and_said():
    bodies = tree()
    path = f"{ROOT}/Systems/a/Memory"
    bodies[path] = {"Members": [ref(f"{path}/{number}") for number in range(100_000)]}
    walker, asked = walk(bodies, limits=Limits(members=500))
    assert len(asked) < 600
    coverage = document(walker).coverage["memory"]
    assert coverage.verdict is Verdict.FAILED
    assert "more than 500 members" in coverage.reason


def test_a_chain_of_resources_ends_at_the_bound_of_depth():
    bodies = tree()
    path = f"{ROOT}/Systems/a/Memory"
    for number in range(100):
        bodies[path + "/x" * number] = {"Members": [ref(path + "/x" * (number + 1))]}
    walker, asked = walk(bodies)
    assert len(asked) < 40
    coverage = document(walker).coverage["memory"]
    assert (coverage.verdict, "deeper than" in coverage.reason) == (Verdict.FAILED, True)


def test_json_that_is_too_deep_is_a_recorded_reason():
    for body in (b"[" * 100_000, b'{"a":' * 100_000, b'{"Members": NaN, "Id": Infinity'):
        outcome = outcome_of(HttpResponse(200, {}, body))
        assert (outcome.verdict, outcome.reason) == (Verdict.FAILED, "the answer is not a JSON object")


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, 10**400, -1, "x" * 1_000_000, [], {}, [[]], {"a": {}}, True]
)
def test_a_wrong_value_costs_its_property_only(value):
    names = ("Model", "TotalCores", "MaxSpeedMHz", "SerialNumber", "Status", "ProcessorId", "Socket", "Name", "Links")
    bodies = tree()
    processor = bodies[f"{ROOT}/Systems/a/CPU/0"]
    processor.update(dict.fromkeys(names, value), TotalThreads=8)
    device = document(walk(bodies)[0])
    assert [cpu.threads for cpu in device.cpus] == [8]
    assert device.coverage["processors"].verdict is Verdict.COLLECTED
    assert len(str(to_dict(device))) < 60_000
    assert device_from_dict(to_dict(device)) == device


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (Outcome(Verdict.DENIED, status=403, reason="HTTP 403"), Verdict.DENIED),
        (Outcome(Verdict.TIMEOUT, reason="no answer"), Verdict.TIMEOUT),
        (Outcome(Verdict.FAILED, status=200, reason="the answer is not a JSON object"), Verdict.FAILED),
        (Outcome(Verdict.ABSENT, status=404), Verdict.ABSENT),
    ],
)
def test_a_failing_subtree_costs_itself_only(outcome, verdict):
    walker, _asked = walk(tree(), lambda want: outcome if want.path.endswith("/CPU") else None)
    device = document(walker)
    assert device.coverage["processors"].verdict is verdict
    assert device.cpus == ()
    assert len(device.memory) == 1


def test_the_deprecated_resource_is_read_only_without_the_newer():
    chassis = f"{ROOT}/Chassis/c"
    power = {"PowerSupplies": [{"MemberId": "0", "SerialNumber": "OLD"}]}
    newer = {
        f"{chassis}/PS": {"PowerSupplies": ref(f"{chassis}/PS/all")},
        f"{chassis}/PS/all": {"Members": [{"Id": "0", "SerialNumber": "NEW", **ref(f"{chassis}/PS/0")}]},
        f"{chassis}/Power": power,
    }
    links = {"PowerSubsystem": ref(f"{chassis}/PS"), "Power": ref(f"{chassis}/Power")}
    both = tree(bodies=newer)
    both[chassis].update(links)
    walker, asked = walk(both)
    assert [psu.serial for psu in document(walker).power_supplies] == ["NEW"]
    assert f"{chassis}/Power" not in asked
    old = tree(bodies={f"{chassis}/Power": power})
    old[chassis].update(links)
    walker, _asked = walk(old)
    assert [psu.serial for psu in document(walker).power_supplies] == ["OLD"]


def test_giving_up_is_recorded_as_time_out():
    walker = Walker()
    for want in walker.wants():
        walker.took(want, Outcome(Verdict.COLLECTED, tree()[ROOT], status=200))
    walker.wants()  # under way, never answered
    walker.skip_rest(Verdict.TIMEOUT, "the deadline was reached")
    assert walker.wants() == []


# -- any JSON ----------------------------------------------------------------------------------------------------------------

PATHS = sorted(tree()) + [f"{ROOT}/x{number}" for number in range(6)]
NAMES = sorted(
    {
        name
        for rules in RULES.values()
        for rule in rules
        for path in rule.paths
        for name in path.replace("[]", "").split(".")
    }
    | {
        "Members",
        "Members@odata.nextLink",
        "Id",
        "Status",
        "State",
        "SerialNumber",
        "Attributes",
        "Boot",
        "BootOrder",
        "SystemType",
    }
    | {
        "CapacityMiB",
        "Devices",
        "PowerSupplies",
        "Fans",
        "Temperatures",
        "AssociatedNetworkAddresses",
        "Ethernet",
        "Identifiers",
    }
    | {
        "ProcessorMemory",
        "TrustedModules",
        "Assemblies",
        "PhysicalPorts",
        "Location",
        "SKU",
        "Manufacturer",
        "UUID",
        "Systems",
    }
)
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.just(10**400),
    st.just("x" * 10_000),
    st.just(math.nan),
    st.sampled_from(PATHS).map(ref),
    st.sampled_from(PATHS),
    st.just({"@odata.id": 7}),
    st.just(ref("//[/?#")),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=25,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=10)


@settings(suppress_health_check=list(HealthCheck))
@given(st.dictionaries(st.sampled_from(PATHS), BODIES, max_size=8))
def test_any_json_gives_a_document_or_a_recorded_reason(change):
    bodies = tree()
    for path, body in change.items():
        bodies[path] = {**bodies.get(path, {}), **body}
    walker, asked = walk(bodies, limits=Limits(resources=200))
    assert len(asked) < 1000
    if walker.problem is None:
        device = document(walker)
        assert set(device.coverage) == set(SECTIONS)
        assert not [item for item in device.coverage.values() if "could not be read" in (item.reason or "")]
        assert device_from_dict(to_dict(device)) == device


def test_a_part_without_any_content_is_absent():
    bodies = tree()
    bodies["/redfish/v1/Systems/a"] = {**bodies["/redfish/v1/Systems/a"], "Boot": {}}
    walker, _asked = walk(bodies)
    assert document(walker).boot is None


# -- only the member ----------------------------------------------------------------------------------------------------------

ONLY = {"ProtocolFeaturesSupported": {"OnlyMemberQuery": True}}


def test_a_collection_with_one_member_costs_one_request():
    bodies = tree()
    bodies[ROOT].update(ONLY)
    system = {**bodies[f"{ROOT}/Systems/a"], **ref(f"{ROOT}/Systems/a/")}

    def answer(want):
        return Outcome(Verdict.COLLECTED, system, status=200) if want.url == f"{ROOT}/Systems?only" else None

    walker, asked = walk(bodies, answer)
    assert f"{ROOT}/Systems/a" not in asked
    assert f"{ROOT}/Systems" not in asked
    assert f"{ROOT}/Chassis?only" in asked, "several members: the answer is the collection"
    plain, plainly = walk(tree())
    assert document(walker) == document(plain)
    assert len(asked) == len(plainly) - 1


@pytest.mark.parametrize("body", [None, {"Id": "a", "SerialNumber": "?"}, {"@odata.id": f"{ROOT}/Systems", "Id": "x"}])
def test_a_service_that_fails_at_only_is_asked_plainly(body):
    bodies = tree()
    bodies[ROOT].update(ONLY)

    def answer(want):
        if not want.url.endswith("?only"):
            return None
        return Outcome(Verdict.FAILED, status=501) if body is None else Outcome(Verdict.COLLECTED, body, status=200)

    walker, asked = walk(bodies, answer)
    assert document(walker) == document(walk(tree())[0])
    assert [url for url in asked if "?" in url] == [f"{ROOT}/Systems?only"], "not tried again"
