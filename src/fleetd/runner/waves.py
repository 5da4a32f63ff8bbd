# SPDX-License-Identifier: BSD-2-Clause
"""Waves: limits of machines without power at the same time, and a stop when too many failed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fleetcore.power.controllers import BMC_VARIABLES

from fleetd.runner.adapters.journal import FileBrake
from fleetd.runner.config import WaveSettings

CONTROLLER = "controller"
"""Not a host variable: what :func:`controller_of` makes of several."""

_CONTROLLER_VARIABLES = ("pdu_address", "bmc_address")
_ENDPOINT_VARIABLES = ("bmc_redfish_port", "bmc_ipmi_port")


def variables_of(waves: WaveSettings) -> tuple[str, ...]:
    """Host variables that :func:`choose` and :func:`machines_of_one_bmc` look at."""
    return (*waves.limits, "power_controller", *_CONTROLLER_VARIABLES, *BMC_VARIABLES)


def controller_of(variables: Mapping[str, Any]) -> str | None:
    """Name what switches the machine: machines with the same one are never switched at the same time. None: not known.

    ``power_controller`` says it; otherwise it is the address of the PDU or BMC, with its ports where they are given.
    """
    named = variables.get("power_controller")
    if named:
        return str(named)
    address = next((variables[name] for name in _CONTROLLER_VARIABLES if variables.get(name)), None)
    if address is None:
        return None
    return ":".join([str(address), *(str(variables[n]) for n in _ENDPOINT_VARIABLES if variables.get(n))])


def choose(
    candidates: Sequence[str], in_flight: Iterable[str], facts: Mapping[str, Mapping[str, Any]], options: WaveSettings
) -> list[str]:
    """The candidates that may begin now, in their order; the others wait until something in flight has ended.

    :param facts: host variables by machine. A machine that lacks the variable of a limit is not limited by it.
    """
    used: Counter[tuple[str, str]] = Counter()
    flying = 0
    for machine in in_flight:
        flying += 1
        used.update(_shares(facts.get(machine, {}), options))
    limits = {**options.limits, CONTROLLER: 1}
    chosen: list[str] = []
    for machine in candidates:
        if flying + len(chosen) >= options.size:
            break
        shares = _shares(facts.get(machine, {}), options)
        if all(used[share] < limits[share[0]] for share in shares):
            used.update(shares)
            chosen.append(machine)
    return chosen


def _shares(variables: Mapping[str, Any], options: WaveSettings) -> list[tuple[str, str]]:
    shares = [(name, str(variables[name])) for name in options.limits if variables.get(name) is not None]
    controller = controller_of(variables)
    return [*shares, (CONTROLLER, controller)] if controller else shares


@dataclass
class Budget:
    """Counts the failed machines of a wave and pulls the brake.

    A wave begins with the first machine when none is in flight, and ends when nothing is left.
    """

    options: WaveSettings
    brake: FileBrake
    _failed: set[str] = field(default_factory=set, init=False)
    _was_stopped: bool = field(default=False, init=False)

    def failed(self, machine: str, now: float) -> bool:
        """A machine of the wave failed; True when that was one too many."""
        self._failed.add(machine)
        budget = self.options.failure_budget
        if budget is None or len(self._failed) <= budget or self.brake.engaged() is not None:
            return False
        self.brake.engage({"at": now, "machines": sorted(self._failed)})
        self._was_stopped = True
        return True

    def may_begin(self, now: float) -> bool:
        """Whether machines may begin. After the time, or when a person took the brake off, counting begins anew."""
        why = self.brake.engaged()
        if why is not None and now - float(why.get("at") or 0) < self.options.resume_seconds:
            self._was_stopped = True
            return False
        if why is not None:
            self.brake.release()
        if self._was_stopped:
            self._was_stopped = False
            self._failed.clear()
        return True

    def wave_ended(self) -> None:
        """Nothing is in flight and nothing waits."""
        if not self._was_stopped:
            self._failed.clear()
