# SPDX-License-Identifier: BSD-2-Clause

"""Switches by a task list that the operator names: a PoE port of a switch, a relay, anything that has an Ansible
module.

Each question and each action is a small play over the one machine, so that the tasks have the machine's variables and
may delegate to its switch. That costs seconds. For it such a machine is switched, retried, verified and brought back
like any other.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from ..errors import BadResponse, InvalidInput, MissingDependency, Unsupported
from ..option import Options, Params, option
from ..ports import Clock, PowerAction, PowerState
from .command import failure, run_command
from .driver import Driver

TASKS: Options = {
    "file": option("path", "The task list, a file of the host that runs the module.", required=True),
    "machine": option("str", "Name of the machine in the inventory.", required=True, play="inventory_hostname"),
    "inventory": option(
        "list",
        "Inventories, usually C({{ ansible_inventory_sources }}).",
        elements="str",
        required=True,
        play="ansible_inventory_sources",
    ),
    "actions": option(
        "list",
        "What the tasks can do.",
        elements="str",
        choices=["on", "off", "shutdown", "reset", "cycle"],
        default=["on", "off"],
    ),
    "reads_state": option(
        "bool",
        """
            Whether the tasks answer C(power_action) V(state), by setting the fact C(power_state) to V(on) or V(off).
            They must change nothing then.

            Without it nothing can be verified.
        """,
        default=True,
    ),
    "variables": option("dict", "Variables for the tasks. No secrets."),
    "timeout": option("float", "Seconds for each run of the tasks.", default=120),
}


def task_options(params: Params) -> Params:
    """Check the option ``tasks``: :data:`TASKS`.

    :raises InvalidInput: ``details["field"]`` names the option.
    """
    path = Path(str(params.get("file") or ""))
    if not path.is_file():
        raise _wrong("file", f"{str(path)!r} is not a file where the module runs")
    machine = str(params.get("machine") or "").strip()
    if not machine or any(sign in machine for sign in "*?[]:,!&~ ") or machine.startswith("-"):
        raise _wrong("machine", f"{machine!r} is not the name of one machine of the inventory")
    if not params["inventory"]:
        raise _wrong("inventory", "empty: the tasks would have no machine")
    if float(params["timeout"]) <= 0:
        raise _wrong("timeout", "must be more than 0 seconds")
    return {**params, "file": str(path.resolve()), "machine": machine}


def _wrong(name: str, message: str) -> InvalidInput:
    return InvalidInput.of(f"tasks.{name}", message)


def play(options: Params, answer: str) -> list[dict[str, Any]]:
    """The play around the operator's tasks, which leaves the state that they found in the file ``answer``."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    state = "{{ power_state | default('unknown') | lower }}"
    return [
        {
            "name": "Power by tasks",
            "hosts": options["machine"],
            "gather_facts": False,
            "connection": "local",
            "vars": {**(options["variables"] or {}), "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            "tasks": [
                {"name": "Do it", "ansible.builtin.include_tasks": {"file": options["file"]}},
                {
                    "name": "Tell the state",
                    "ansible.builtin.copy": {"content": state, "dest": answer, "mode": "0600"},
                    "delegate_to": "localhost",
                    "vars": here,
                },
            ],
        }
    ]


class TaskDriver:
    """A power driver by a task list.

    :raises MissingDependency: ansible-playbook is not installed (from the constructor).
    """

    name = "tasks"

    def __init__(self, options: Params, clock: Clock) -> None:
        places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        command = shutil.which("ansible-playbook", path=places)
        if command is None:
            raise MissingDependency(
                "ansible-playbook is not installed where the module runs", command="ansible-playbook"
            )
        self.clock = clock
        self.actions = frozenset(PowerAction(name) for name in options["actions"] or ("on", "off"))
        self.reads_state = options["reads_state"]
        self._options = options
        self._folder = tempfile.mkdtemp(prefix="baremetal-fleet-")  # mode 0700
        self._answer = Path(self._folder) / "state"
        written = Path(self._folder) / "play.yml"
        written.write_text(json.dumps(play(options, str(self._answer))), encoding="utf-8")  # JSON is YAML
        self._argv = (command, *(word for item in options["inventory"] for word in ("-i", item)), str(written), "-e")

    def power_state(self) -> PowerState:
        if not self.reads_state:
            return PowerState.UNKNOWN
        return {"on": PowerState.ON, "off": PowerState.OFF}.get(self._ask("state"), PowerState.UNKNOWN)

    def set_power(self, action: PowerAction) -> None:
        if action not in self.actions:
            raise Unsupported(f"tasks: they can't do {action.value}", action=action.value)
        self._ask(action.value)

    def _ask(self, action: str) -> str:
        """Run the tasks; the state that they left."""
        with contextlib.suppress(FileNotFoundError):
            self._answer.unlink()
        result = run_command((*self._argv, f"power_action={action}"), float(self._options["timeout"]))
        if result.rc:
            raise failure(result)
        try:
            return self._answer.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise BadResponse(
                f"tasks: they ran for no machine: is {self._options['machine']} in the inventory?"
            ) from None

    def close(self) -> None:
        """Idempotent; the driver is of no use afterwards."""
        shutil.rmtree(self._folder, ignore_errors=True)


DRIVER = Driver(
    name="tasks",
    order=40,
    options={
        "tasks": option(
            "dict",
            """
                For the driver V(tasks), a task list that switches the machine, through its switch for example.

                It is run by C(ansible-playbook) over the one machine, with its variables of the inventory, and
                C(power_action) is what is to be done. C(connection) is V(local), and C(delegate_to) may name another
                host of the inventory.

                Extra variables of the play that uses the module are not there, see O(tasks.variables). Vault passwords
                have to come from C(ANSIBLE_VAULT_PASSWORD_FILE) or C(ansible.cfg).
            """,
            options=TASKS,
        )
    },
    check=lambda params: task_options(params["tasks"]),
    open=TaskDriver,
    requires="ansible-core (for the driver C(tasks))",
)
