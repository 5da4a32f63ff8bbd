# SPDX-License-Identifier: BSD-2-Clause

"""Switches by commands that the operator names: whatever has a tool, a script or an API client can be switched.

Commands are lists, run without a shell where the module runs. The operator says, too, what exit code and output mean.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Optional

from ..errors import (
    BadResponse,
    Busy,
    FleetError,
    InvalidInput,
    MissingDependency,
    PermissionDenied,
    TimedOut,
    Unsupported,
)
from ..option import Options, Params, option
from ..ports import Clock, CommandResult, PowerAction, PowerState
from .driver import Driver

_PLACE = re.compile(r"\{([a-z_]*)\}")
_ACTIONS = ("on", "off", "shutdown", "reset", "nmi", "cycle")
_WORDS = 300


def _words(description: str) -> dict[str, Any]:
    return option("list", description, elements="str")


COMMAND: Options = {
    "machine": option("str", "Name of the machine for C({machine}).", play="inventory_hostname"),
    "on": _words("Switches on."),
    "off": _words("Switches off without asking the operating system."),
    "shutdown": _words("Asks the operating system to shut down."),
    "reset": _words("Restarts without cutting the power."),
    "nmi": _words("Sends a diagnostic interrupt."),
    "cycle": _words(
        "Switches off and on again, for a tool that can't do the one without the other. Used when O(command.on) or "
        "O(command.off) is missing."
    ),
    "state": option(
        "list",
        """
            Tells the power state. Exit code V(0) is on and V(1) is off, unless O(command.state_on) and
            O(command.state_off) are there.

            Without it nothing can be verified.
        """,
        elements="str",
    ),
    "state_on": option(
        "str", "Regular expression that is found in the output of O(command.state) when the machine is on."
    ),
    "state_off": option(
        "str",
        """
            Regular expression that is found in the output of O(command.state) when the machine is off. An output with
            neither is an unknown state, with both an error.
        """,
    ),
    "timeout": option("float", "Seconds for each command. Then it is killed, with all that it started.", default=60),
}


@dataclass(frozen=True)
class CommandOptions:
    """The commands of one machine.

    :ivar argv: command by action value, ``state`` among them when the state can be read; placeholders are filled in.
    :ivar state_on: pattern that the output of ``state`` matches for a machine that is on. ``state_off``: one for off.
        Another output is UNKNOWN. Without both, exit code 0 is on and 1 is off.
    :ivar timeout: seconds for each command.
    """

    argv: Mapping[str, tuple[str, ...]]
    state_on: Optional[str] = None
    state_off: Optional[str] = None
    timeout: float = 60.0


def command_options(params: Params) -> CommandOptions:
    """Check the option ``command``. ``{machine}`` in an argument stands for the machine's name.

    :raises InvalidInput: ``details["field"]`` names the option.
    """
    machine = params.get("machine")
    argv = {
        name: tuple(_filled(name, str(item), machine) for item in params[name])
        for name in (*_ACTIONS, "state")
        if params.get(name) is not None
    }
    for name, words in argv.items():
        if not words or not words[0].strip():
            raise _wrong(name, "an empty list is no command")
    if not set(argv) - {"state"}:
        raise _wrong("on", "name at least one command that switches")
    patterns = {}
    for name in ("state_on", "state_off"):
        if params.get(name) is not None:
            if "state" not in argv:
                raise _wrong(name, "there is no command `state` whose output it could match")
            try:
                re.compile(params[name])
            except re.error as error:
                raise _wrong(name, f"{params[name]!r} is not a regular expression: {error}") from None
            patterns[name] = str(params[name])
    for name, other in (("state_on", "state_off"), ("state_off", "state_on")):
        if other in patterns and name not in patterns:
            raise _wrong(name, f"needed with {other}")
    timeout = float(params.get("timeout") or 60.0)
    if timeout <= 0:
        raise _wrong("timeout", "must be more than 0 seconds")
    return CommandOptions(argv, **patterns, timeout=timeout)


def _filled(name: str, item: str, machine: Optional[str]) -> str:
    for place in _PLACE.findall(item):
        if place != "machine":
            raise _wrong(name, f"{{{place}}} is not known; what can stand in a command is {{machine}}")
    if "{machine}" not in item:
        return item
    if not machine or not str(machine).strip():
        raise _wrong("machine", "empty, and a command names {machine}")
    if str(machine).startswith("-"):
        raise _wrong("machine", f"{machine!r} would be taken for an option of the command")
    return item.replace("{machine}", str(machine))


def _wrong(name: str, message: str) -> InvalidInput:
    return InvalidInput.of(f"command.{name}", message)


class CommandDriver:
    """A power driver by commands: exit code 0 means that the command was carried out."""

    name = "command"

    def __init__(self, options: CommandOptions, clock: Clock) -> None:
        self._options = options
        self.clock = clock
        self.actions = frozenset(PowerAction(name) for name in options.argv if name != "state")
        self.reads_state = "state" in options.argv

    def power_state(self) -> PowerState:
        if not self.reads_state:
            return PowerState.UNKNOWN
        argv = self._options.argv["state"]
        result = self._run(argv)
        if self._options.state_on is None or self._options.state_off is None:
            if result.rc not in (0, 1):
                words = _short(result.stderr or result.stdout)
                raise BadResponse(
                    f"{argv[0]}: exit code {result.rc}, neither 0 (on) nor 1 (off): {words}", rc=result.rc
                )
            return PowerState.OFF if result.rc else PowerState.ON
        if result.rc:
            raise failure(result)
        on, off = (
            re.search(item, result.stdout) is not None for item in (self._options.state_on, self._options.state_off)
        )
        if on and off:
            raise BadResponse(f"{argv[0]}: its output matches both state_on and state_off: {_short(result.stdout)}")
        return PowerState.ON if on else PowerState.OFF if off else PowerState.UNKNOWN

    def set_power(self, action: PowerAction) -> None:
        if action not in self.actions:
            raise Unsupported(f"command: there is no command for {action.value}", action=action.value)
        result = self._run(self._options.argv[action.value])
        if result.rc:
            raise failure(result)

    def close(self) -> None:
        """Nothing is kept open."""

    def _run(self, argv: Sequence[str]) -> CommandResult:
        return run_command(argv, self._options.timeout)


def run_command(argv: Sequence[str], timeout: float) -> CommandResult:
    """Run a command of the operator to its end, without a shell. At the time-out it is killed, with all that it
    started.

    :param timeout: seconds.
    :raises FleetError: it can't be started (MissingDependency, PermissionDenied), or TimedOut. An exit code is not an
        error.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  (a list, without a shell: what the operator named)
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise MissingDependency(f"{argv[0]}: no such command where the module runs", command=argv[0]) from None
    except PermissionError:
        raise PermissionDenied(f"{argv[0]}: is not to be executed", command=argv[0]) from None
    except OSError as error:
        raise BadResponse(f"{argv[0]}: {error.strerror or error}", command=argv[0]) from error
    try:
        output, errors = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise TimedOut(f"{argv[0]}: not over after {timeout:g} s", seconds=timeout) from None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return CommandResult(argv, process.returncode, output.decode("utf-8", "replace"), errors.decode("utf-8", "replace"))


def failure(result: CommandResult) -> FleetError:
    """Make the error that an exit code means. It may pass: the power controller tries again."""
    return Busy(f"{result.argv[0]}: exit code {result.rc}: {_short(result.stderr or result.stdout)}", rc=result.rc)


def _short(words: str) -> str:
    return " ".join(words.split())[-_WORDS:] or "it said nothing"


DRIVER = Driver(
    name="command",
    order=30,
    options={
        "command": option(
            "dict",
            """
                For the driver V(command), the commands that switch the machine, as lists. They run where the module
                runs, without a shell.

                Only what has a command can be done. Without O(command.off) there is no O(state=off), for example.

                C({machine}) in an argument stands for O(command.machine). Other braces are refused.

                Exit code V(0) means done. After another one the command is tried again. What should not be seen in the
                list of processes, such as a password, belongs in a file or in the environment.
            """,
            options=COMMAND,
        )
    },
    check=lambda params: command_options(params["command"]),
    open=CommandDriver,
)
