# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook discover: virtual BMCs at loopback addresses, and a real server that knows one of them."""

from __future__ import annotations

import json

from client_support import Ansible, Server

from fleetlab.farm import BmcSpec, fleet, running_farm
from fleetlab.process import free_port

PLAYBOOK = "baremetal.fleet.discover"


def test_discover(ansible: Ansible, server: Server) -> None:
    port = free_port()
    specs = fleet(BmcSpec(tree="server", address="127.0.68.1", port=port), 3, by_address=True)
    scan = {
        "scan_networks": "127.0.68.0/29",
        "scan_protocols": ["redfish"],
        "scan_redfish_ports": [port],
        "fleet_server_url": server.url + "/",
    }
    register = {**scan, "register_unknown": True}

    def discover(variables: dict, *arguments: str):
        return ansible.run("ansible-playbook", PLAYBOOK, "-e", json.dumps(variables), *arguments)

    with running_farm(specs) as farm, server.client() as client:
        client.create_machine({"id": "known", "bmc": {"address": "127.0.68.2"}})

        seen = discover(scan)
        assert (seen.rc, seen.host("localhost")["changed"]) == (0, 0)
        assert "127.0.68.1: redfish Halden Systems Halden HS-2210" in seen.stdout
        assert "3 BMCs at 6 addresses, 6 probes sent" in seen.stdout
        planned = discover(register, "--check")
        assert (planned.rc, planned.host("localhost")["changed"]) == (0, 0)
        assert "0 probes sent of at most 6" in planned.stdout
        assert [machine["id"] for machine in client.machines()] == ["known"], "only when asked"

        done = discover(register)
        assert (done.rc, done.host("localhost")["changed"]) == (0, 1)
        assert server.tokens["operator"] not in done.stdout + done.stderr
        machines = {machine["id"]: machine for machine in client.machines()}
        assert sorted(machines) == ["bmc-127-0-68-1", "bmc-127-0-68-3", "known"]
        new = machines["bmc-127-0-68-3"]
        assert (new["lifecycle"], new["bmc"]["redfish_port"], new["bmc"]["drivers"]) == (
            "discovered",
            port,
            ["redfish"],
        )
        digits = new["bmc"]["fingerprint"].replace(":", "").lower()
        assert digits == farm.bmcs[2].fingerprint.replace(":", "").lower()

        again = discover(register)
        assert (again.rc, again.host("localhost")["changed"]) == (0, 0)
        assert sum(bmc.counters.logins + bmc.counters.refused for bmc in farm.bmcs) == 0
        for name in machines:
            client.delete_machine(name)


def test_a_scan_of_nothing_fails(ansible: Ansible) -> None:
    done = ansible.run("ansible-playbook", PLAYBOOK, "-e", '{"scan_networks": []}')
    assert done.rc == 2
    assert "nothing is scanned unless it is named" in done.stdout + done.stderr
