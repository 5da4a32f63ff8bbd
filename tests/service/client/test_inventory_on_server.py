# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin through ansible-inventory and ansible-playbook against a real server."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator

import pytest
from client_support import ROOT, Ansible, Done, Server, answering

NASTY = "{{ lookup('ansible.builtin.pipe', 'echo evaluated') }}"


@pytest.fixture(autouse=True, scope="module")
def fleet(server: Server) -> Iterator[None]:
    """Three machines, one of them with a hostile label."""
    bmc = {"address": "192.0.2.1", "mac": "00:25:90:ab:cd:ef", "redfish_port": 8443}
    device = {"source": "oob", "vendor": "Alpha Systems", "model": "M-1", "serial": "S1", "uuid": "u-1"}
    with server.client() as client:
        client.create_machine({"id": "n1", "site": "ber1", "rack": "a1", "labels": {"role": "db"}, "bmc": bmc})
        client.create_machine(
            {"id": "n2", "site": "ber1", "rack": "a2", "labels": {"role": NASTY}, "lifecycle": "broken"}
        )
        client.create_machine({"id": "muc/n3", "site": "muc 2"})
        client.publish_device("n1", device, "oob")
    return


def hosts(done: Done) -> dict[str, dict[str, object]]:
    assert done.rc == 0
    found: dict[str, dict[str, object]] = json.loads(done.stdout)["_meta"]["hostvars"]
    return found


def test_the_ready_made_file_lists_everything(ansible: Ansible, server: Server) -> None:
    done = ansible.run("ansible-inventory", "-i", str(ROOT / "inventory" / "machines.yml"), "--list")
    found = hosts(done)
    assert set(found) == {"n1", "n2", "muc/n3"}
    assert found["n1"]["bmc_address"] == "192.0.2.1"
    assert found["n1"]["bmc_redfish_port"] == 8443
    assert found["n1"]["bmc_drivers"] == ["redfish", "ipmi"]
    assert found["n1"]["fleet_labels"] == {"role": "db"}
    assert found["n1"]["fleet_serial"] == "S1"
    assert not [name for variables in found.values() for name in variables if "password" in name or "token" in name]
    assert not any(token in done.stdout for token in server.tokens.values())
    # Only what could be a template is marked.
    assert done.stdout.count("__ansible_unsafe") == 1
    assert done.stderr == ""


def test_groups(ansible: Ansible) -> None:
    done = ansible.inventory({}, "--graph")
    assert done.rc == 0
    tree = done.stdout.split("\n")
    for group in ("site_ber1", "site_muc_2", "rack_a1", "lifecycle_broken", "vendor_alpha_systems", "label_role_db"):
        assert f"  |--@{group}:" in tree
    assert tree[tree.index("  |--@site_muc_2:") + 1] == "  |  |--muc/n3"


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"site": "ber1"}, {"n1", "n2"}),
        ({"site": "muc 2"}, {"muc/n3"}),
        ({"rack": "a1", "labels": {"role": "db"}}, {"n1"}),
        ({"site": "ber1", "lifecycle": ["broken"]}, {"n2"}),
        ({"site": "nowhere"}, set()),
    ],
)
def test_filters(ansible: Ansible, config: dict[str, object], expected: set[str]) -> None:
    assert set(hosts(ansible.inventory(config))) == expected


def test_constructed_and_options_as_templates(ansible: Ansible) -> None:
    config = {
        "site": "{{ lookup('ansible.builtin.env', 'MY_SITE') }}",
        "server_token": "{{ my_token }}",
        "compose": {"ansible_host": "inventory_hostname ~ '.example.com'"},
        "groups": {"with_bmc": "bmc_address is defined"},
        "keyed_groups": [{"key": "fleet_labels.role", "prefix": "role"}],
        "strict": True,
    }
    token = ansible.env.pop("FLEETD_TOKEN")
    listed = ansible.inventory(config, "--list", "-e", f"my_token={token}", MY_SITE="ber1")
    found = hosts(listed)
    assert {name: variables["ansible_host"] for name, variables in found.items()} == {
        "n1": "n1.example.com",
        "n2": "n2.example.com",
    }
    groups = json.loads(listed.stdout)
    assert groups["with_bmc"]["hosts"] == ["n1"]
    assert groups["role_db"]["hosts"] == ["n1"]


def test_what_machines_say_is_never_evaluated(ansible: Ansible) -> None:
    path = ansible.work / "machines.yml"
    path.write_text("plugin: baremetal.fleet.machines\n")
    play = ansible.work / "play.yml"
    play.write_text(
        json.dumps(
            [
                {
                    "hosts": "n2",
                    "gather_facts": False,
                    "tasks": [{"ansible.builtin.debug": {"msg": "role is {{ fleet_labels.role }}"}}],
                }
            ]
        )
    )
    done = ansible.run("ansible-playbook", "-i", str(path), str(play))
    assert done.rc == 0
    assert "role is {{ lookup(" in done.stdout
    assert "role is evaluated" not in done.stdout


def test_as_awx_asks(ansible: Ansible) -> None:
    (ansible.work / "inventory").mkdir()
    done = ansible.inventory({}, "--list", "--export", "--playbook-dir", str(ansible.work / "inventory"))
    assert hosts(done)["n1"]["fleet_rack"] == "a1"


def test_cache_answers_when_the_server_does_not(ansible: Ansible, server: Server) -> None:
    config = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(ansible.work / "cache"),
    }
    first = hosts(ansible.inventory(config))
    ansible.env["FLEETD_TOKEN"] = "not even asked"
    assert hosts(ansible.inventory(config)) == first
    # Another question is not answered from the cache of this one, nor is anything after a flush.
    assert ansible.inventory({**config, "site": "ber1"}).rc != 0
    assert ansible.inventory(config, "--list", "--flush-cache").rc != 0
    assert not any(
        token in path.read_text() for token in server.tokens.values() for path in (ansible.work / "cache").iterdir()
    )


def test_a_refresh_sends_nothing_again_that_is_known(ansible: Ansible, server: Server) -> None:
    """`meta: refresh_inventory` asks the server; the answer to the second question is a 304 or the new state."""
    config = {
        "cache": True,
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(ansible.work / "cache"),
    }
    path = ansible.work / "machines.yml"
    path.write_text(json.dumps({"plugin": "baremetal.fleet.machines", **config}))
    show = {"ansible.builtin.debug": {"msg": "n1 is in {{ hostvars.n1.fleet_rack }}"}}
    move = {"baremetal.fleet.machine": {"name": "n1", "rack": "{{ rack }}"}}
    refresh = {"ansible.builtin.meta": "refresh_inventory"}
    variables = {"ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    plays = [
        {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {**variables, "rack": rack},
            "tasks": [move, refresh, refresh, show],
        }
        for rack in ("moved", "a1")
    ]
    (ansible.work / "play.json").write_text(json.dumps(plays))
    ansible.env["FLEETD_TOKEN"] = server.tokens["operator"]
    done = ansible.run("ansible-playbook", "-i", str(path), str(ansible.work / "play.json"))
    assert done.rc == 0
    assert re.findall(r"n1 is in (\w+)", done.stdout) == ["moved", "a1"]


def says(done: Done, *words: str) -> None:
    """One line of what it printed has all these words."""
    assert "Traceback" not in done.stdout + done.stderr
    assert [line for line in done.lines if all(word in line for word in words)], words


def one_line(done: Done, *words: str) -> None:
    """It failed, and one line of what it printed says why."""
    assert done.rc != 0
    says(done, *words)


def test_the_server_is_down(ansible: Ansible, server: Server) -> None:
    server.stop()
    try:
        one_line(ansible.inventory({}), f"machine server {server.url}: connection refused", "server_url")
        # Without the setting that makes it an error it is the same line as a warning.
        lenient = ansible.inventory({}, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="false")
        assert lenient.rc == 0
        assert f"machine server {server.url}: connection refused" in lenient.stderr
    finally:
        server.start()


BAD = [
    ({"server_token": "nonsense"}, ("refused the token", "FLEETD_TOKEN")),
    ({"server_url": "fleet"}, ("'fleet' is not a URL",)),
    ({"server_url": ""}, ("server_url", "empty")),
    ({"site": ""}, ("site is there but empty",)),
    ({"rack": "{{ lookup('ansible.builtin.env', 'NOT_SET') }}"}, ("rack is there but empty",)),
    ({"labels": {"role": ""}}, ("labels holds an empty value",)),
    ({"sites": ["ber1"]}, ("unknown option 'sites'",)),
    ({"server_timeout": 0}, ("server_timeout",)),
    ({"server_ca_path": "/nonexistent.pem", "server_url": "https://127.0.0.1:1"}, ("ca_path", "/nonexistent.pem")),
]


def test_bad_configuration(ansible: Ansible) -> None:
    """All in one run, each source with a line of its own and none of them with hosts."""
    configs = [config for config, _words in BAD]
    done = ansible.inventories(configs)
    assert hosts(done) == {}
    for _config, words in BAD:
        says(done, *words)


def test_no_address_at_all(ansible: Ansible) -> None:
    ansible.env.pop("FLEETD_URL")
    one_line(ansible.inventory({}), "server_url")


NOT_OURS = [
    (b"<html>welcome</html>", "text/html"),
    (b'{"hosts": {"a": {}}, "gro', "application/json"),
    (b'{"hosts": [], "groups": {}}', "application/json"),
    (b'{"hosts": {}, "groups": {"g": {"hosts": ["a"]}}}', "application/json"),
    (b'{"hosts": {"a": 1}, "groups": {}}', "application/json"),
    (b'{"hosts": {"a": {}}, "groups": {"g": ["a"]}}', "application/json"),
]


def test_something_else_answers(ansible: Ansible) -> None:
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(answering(body, content_type=kind)) for body, kind in NOT_OURS]
        done = ansible.inventories([{"server_url": url} for url in urls])
    assert hosts(done) == {}
    for url in urls:
        says(done, f"{url}/api/v1/inventory", "Is this the machine server?")
