# SPDX-License-Identifier: BSD-2-Clause

"""The claim of a power cycle, for the program that switches the power: it checks that the claim holds, and reports the
end.

A playbook run may outlive the runner that claimed the machine for it. Then it must not begin what the server has given
to somebody else, and it must tell the server what it did, or somebody else would do it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Optional

from ..errors import ConflictError, FleetError, NotFound, TransientError
from ..ports import Clock
from .client.server import ServerClient

PROCESS = "powercycle"
EVENT_SECONDS = 5.0
"""How often the server is asked whether it has heard of a machine."""


def summary(power: Mapping[str, Any]) -> str:
    """Say how a power cycle was done, in words for its request.

    :param power: what the power module returns, with ``recovered`` if the machine was switched on after an
        interruption.
    """
    over = f", over {power.get('driver') or 'its power controller'}"
    if power.get("recovered"):
        return f"was found off after an interruption and switched on{over}"
    actions = [step.get("action") for step in power.get("steps") or []]
    how = ""
    if power.get("soft"):
        how = "the operating system shut down; "
    elif "shutdown" in actions:
        how = "the operating system was asked to shut down and did not in time, so the power was cut; "
    elif "off" in actions:
        how = "the power was cut; "
    heard = ", and the machine has reported" if power.get("heard") else ""
    seen = "power read back after the cycle" if power.get("after") == "on" else "switched off and on"
    return f"{how}{seen}{over}{heard}"


@dataclass(frozen=True)
class Claim:
    """The claim of one power cycle request. ``runner`` is the name under which it is reported."""

    machine: str
    request: str
    session: str
    fencing_token: int
    runner: str = ""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Claim:
        """Read the module option ``claim``."""
        said = {item.name: options[item.name] for item in fields(cls) if item.name != "runner"}
        return cls(**said, runner=options.get("runner") or "")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def renew(self, client: ServerClient) -> None:
        """Make sure that nobody else gets the machine for the session's interval from now. Call it just before the
        power is taken away.

        :raises ConflictError: the claim is over; somebody else may be at work.
        :raises TransportError: the server does not say whether it is.
        """
        try:
            held = client.heartbeat(self.session).get("work") or []
        except (ConflictError, NotFound):
            held = []
        mine = (self.machine, PROCESS, self.fencing_token)
        if mine not in [(w.get("machine"), w.get("process"), w.get("fencing_token")) for w in held]:
            raise ConflictError(
                f"the claim on the power cycle of {self.machine} is over: nothing was done",
                machine=self.machine,
                reason="lease_lost",
            )

    def heard_again(self, client: ServerClient, clock: Clock, timeout: float) -> bool:
        """Wait until the server gets an event of the machine. Call it when the machine is on again, so that the event
        comes from its new life.

        The server's times are compared with each other only, so no clock has to be right.
        """
        end = clock.monotonic() + timeout
        before: Optional[str] = None
        while True:
            try:
                last = str(client.description(self.machine).get("LastUpdated"))
                if before not in (None, last):
                    return True
                before = last
            except TransientError:
                pass  # the server may come back
            if clock.monotonic() >= end:
                return False
            clock.sleep(min(EVENT_SECONDS, max(0.05, end - clock.monotonic())))

    def done(self, client: ServerClient, message: str) -> bool:
        """Report that the machine went off and came on again. False: the server did not take it, and the runner tells
        it later.
        """
        try:
            for state in ("on", "verified"):
                client.report_powercycle(self.request, state, message, None, self.runner, self.fencing_token)
        except FleetError:
            return False
        return True
