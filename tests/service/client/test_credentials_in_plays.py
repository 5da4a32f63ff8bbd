# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks log in to BMCs with what the machine server has stored, over the inventory that it gives."""

from __future__ import annotations

from client_support import Ansible, Server

from fleetlab.farm import BmcSpec, running_farm


def test_a_play_takes_the_login_that_the_inventory_names(ansible: Ansible, server: Server) -> None:
    spec = BmcSpec(tree="server", username="root", password="correct horse")
    with running_farm([spec]) as farm, server.client() as client:
        bmc = farm.bmcs[0]
        port = int(bmc.url.rpartition(":")[2])
        client.put_credential("rack-a1", "root", "correct horse")
        settings = {"address": "127.0.0.1", "redfish_port": port, "drivers": ["redfish"]}
        settings |= {"fingerprint": bmc.fingerprint, "credential": "rack-a1"}
        client.create_machine({"id": "v1", "bmc": settings})
        inventory = ansible.work / "machines.yml"
        inventory.write_text("plugin: baremetal.fleet.machines\n")

        def collect(token: str, *arguments: str):
            command = ["baremetal.fleet.collect_oob", "-i", str(inventory), "--limit", "v1", *arguments]
            return ansible.run("ansible-playbook", *command, FLEETD_TOKEN=server.tokens[token])

        done = collect("runner", "-vvv")
        assert done.rc == 0
        assert "correct horse" not in done.stdout + done.stderr
        assert client.device("v1")["model"]
        (reader,) = {line["actor"] for line in client.audit("rack-a1") if line["action"] == "credential.read"}
        assert reader == "runner"

        refused = collect("operator")
        assert refused.rc == 2
        assert "credential rack-a1: machine server" in refused.stdout
        # A login that is given by hand comes first, and the server is not asked.
        by_hand = collect("operator", "-e", "bmc_username=root bmc_password=wrong")
        assert by_hand.rc == 2
        assert '"code": "authentication_failed"' in by_hand.stdout
        client.delete_machine("v1")
        client.delete_credential("rack-a1")
