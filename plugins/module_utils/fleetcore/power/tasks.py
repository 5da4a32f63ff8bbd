# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Power by a task list that the operator names: a PoE port of a switch, a relay, anything that has an Ansible module.

Each question and each action is a small play over the one machine, so that the tasks have the machine's variables and may delegate to
its switch. That costs seconds; what it buys is that such a machine is switched, retried, verified and brought back like any other.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import BadResponse, InvalidInput, MissingDependency, Unsupported
from ..ports import Clock, PowerAction, PowerState
from .command import failure, run_command
from .options import TASK_ACTIONS


@dataclass(frozen=True)
class TaskOptions:
    """:ivar file: the task list. ``inventory``: where the machine's variables come from. ``actions``: what the tasks can do.

    :ivar reads_state: the tasks answer the action ``state`` by setting the fact ``power_state``.
    """

    file: str
    machine: str
    inventory: tuple[str, ...]
    actions: tuple[str, ...] = ("on", "off")
    reads_state: bool = True
    timeout: float = 120.0
    variables: Mapping[str, Any] = field(default_factory=dict, repr=False)


def task_options(params: Mapping[str, Any]) -> TaskOptions:
    """The option ``tasks``, checked.

    :raises InvalidInput: ``details["field"]`` names the option.
    """
    path = Path(str(params.get("file") or ""))
    if not path.is_file():
        raise _wrong("file", f"{str(path)!r} is not a file where the module runs")
    machine = str(params.get("machine") or "").strip()
    if not machine or any(sign in machine for sign in "*?[]:,!&~ ") or machine.startswith("-"):
        raise _wrong("machine", f"{machine!r} is not the name of one machine of the inventory")
    inventory = tuple(str(item) for item in params.get("inventory") or ())
    if not inventory:
        raise _wrong("inventory", "empty: the tasks would have no machine")
    actions = tuple(params.get("actions") or ("on", "off"))
    for name in actions:
        if name not in TASK_ACTIONS:
            raise _wrong("actions", f"{name!r} is not one of {', '.join(TASK_ACTIONS)}")
    timeout = float(params.get("timeout") or 120.0)
    if timeout <= 0:
        raise _wrong("timeout", "must be more than 0 seconds")
    return TaskOptions(
        str(path.resolve()),
        machine,
        inventory,
        actions,
        params.get("reads_state") is not False,
        timeout,
        dict(params.get("variables") or {}),
    )


def _wrong(name: str, message: str) -> InvalidInput:
    return InvalidInput(f"tasks.{name}: {message}", field=f"tasks.{name}")


def play(options: TaskOptions, answer: str) -> list[dict[str, Any]]:
    """The play around the operator's tasks, which leaves the state that they found in the file ``answer``."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
    state = "{{ power_state | default('unknown') | lower }}"
    return [
        {
            "name": "Power by tasks",
            "hosts": options.machine,
            "gather_facts": False,
            "connection": "local",
            "vars": {**options.variables, "ansible_python_interpreter": "{{ ansible_playbook_python }}"},
            "tasks": [
                {"name": "Do it", "ansible.builtin.include_tasks": {"file": options.file}},
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
    """:class:`fleetcore.ports.PowerDriver` by a task list.

    :raises MissingDependency: ansible-playbook is not installed (from the constructor).
    """

    name = "tasks"

    def __init__(self, options: TaskOptions, clock: Clock) -> None:
        places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        command = shutil.which("ansible-playbook", path=places)
        if command is None:
            raise MissingDependency(
                "ansible-playbook is not installed where the module runs", command="ansible-playbook"
            )
        self.clock = clock
        self.actions = frozenset(PowerAction(name) for name in options.actions)
        self.reads_state = options.reads_state
        self._options = options
        self._folder = tempfile.mkdtemp(prefix="baremetal-fleet-")  # mode 0700
        self._answer = Path(self._folder) / "state"
        written = Path(self._folder) / "play.yml"
        written.write_text(json.dumps(play(options, str(self._answer))), encoding="utf-8")  # JSON is YAML
        self._argv = (command, *(word for item in options.inventory for word in ("-i", item)), str(written), "-e")

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
        result = run_command((*self._argv, f"power_action={action}"), self._options.timeout)
        if result.rc:
            raise failure(result)
        try:
            return self._answer.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise BadResponse(f"tasks: they ran for no machine: is {self._options.machine} in the inventory?") from None

    def close(self) -> None:
        """Idempotent; the driver is of no use afterwards."""
        shutil.rmtree(self._folder, ignore_errors=True)
