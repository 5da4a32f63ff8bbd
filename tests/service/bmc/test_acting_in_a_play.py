# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules in a play that names the BMC once, by the action group."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PLAY = """
- hosts: localhost
  gather_facts: false
  vars: {ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  module_defaults:
    group/baremetal.fleet.bmc: {address: "{{ url }}", username: admin, password: "{{ secret }}", ca_path: "{{ ca }}"}
  tasks:
    - baremetal.fleet.bmc_boot: {device: pxe, settle_seconds: 0}
    - baremetal.fleet.bios_settings: {settings: {smt: disabled}}
    - baremetal.fleet.secure_boot: {enabled: true}
    - baremetal.fleet.bmc_led: {state: "on"}
    - baremetal.fleet.bmc_virtual_media: {image: "http://images.example.org/x.iso"}
    - baremetal.fleet.bmc_log: {state: cleared}
    - baremetal.fleet.bmc_account: {name: monitoring, role: ReadOnly, account_password: abcdefghi}
    - baremetal.fleet.bmc_firmware:
        catalogue: [{component: BIOS, version: 2.8.0, image: "http://images.example.org/bios-2.8.0.bin"}]
    - baremetal.fleet.bmc_reset:
"""


def test_every_module_in_one_play(collections, bmc, tmp_path):
    (tmp_path / "play.yml").write_text(PLAY)
    values = {"url": bmc.url, "secret": bmc.password, "ca": bmc.ca_path}
    variables = [item for name, value in values.items() for item in ("-e", f"{name}={value}")]
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "-i", "localhost,", "-c", "local", *variables]
    done = subprocess.run(
        [*command, str(tmp_path / "play.yml")],
        check=False,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert "ok=9    changed=9 " in done.stdout, done.stdout + done.stderr
    assert bmc.password not in done.stdout + done.stderr
    assert bmc.counters.logins == bmc.counters.logouts + 1, "the reset ended one session"
