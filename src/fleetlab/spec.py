# SPDX-License-Identifier: BSD-2-Clause
"""Options of a virtual BMC, and the counters of what reached it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from fleetlab import certs
from fleetlab.faults import Fault
from fleetlab.state import PowerBehaviour


@dataclass(frozen=True)
class BmcSpec:
    """Describes one virtual BMC.

    - `tree`: name of a built-in tree, or a directory or .tar.gz of a Redfish mockup
    - `name`: for people and placeholders (default: bmc<index>); `index`: seed of serial, UUID and MACs
      (default: position in the farm); `unique`: give a captured machine serial, UUID and MACs of its own too
    - `address`, `port` (0: any free one), `tls`, `certificate`: self-signed, expired or wrong-name
    - `expand`: maximum levels of `$expand`, 0 for none (default: as the tree advertises); `page_size`: members per
      answer of a collection, the rest under nextLink (default: all)
    - `session_limit`, `session_timeout` (s), `lockout_after` wrong passwords (0: never), `lockout_seconds`
    - `power`: On or Off at start (default: as in the tree); `behaviour`: how it obeys
    - `latency`: seconds before each answer; `faults`: from the start
    - `bmc_reset_seconds`: how long it is gone after Manager.Reset; `task_seconds`: how long a task takes
    - `firmware_at_boot`: an update is over when its task is, and in effect after the machine's next boot
    - `if_match`: what an If-Match must be for a PATCH or DELETE: any, strong (not `W/"..."`), bare (no quotes), or star
      (`*`) (default: it may be left out)
    - `count_paths`: count requests by path (switch off for thousands of BMCs with large trees)
    """

    tree: str = "server"
    name: str = ""
    index: int | None = None
    unique: bool = False
    address: str = "127.0.0.1"
    port: int = 0
    tls: bool = True
    certificate: str = "self-signed"
    username: str = "admin"
    password: str = field(default="password", repr=False)
    expand: int | None = None
    page_size: int | None = None
    session_limit: int = 16
    session_timeout: float = 1800.0
    lockout_after: int = 0
    lockout_seconds: float = 60.0
    power: str | None = None
    behaviour: PowerBehaviour = field(default_factory=PowerBehaviour)
    latency: float = 0.0
    faults: tuple[Fault, ...] = ()
    bmc_reset_seconds: float = 0.0
    task_seconds: float = 1.0
    firmware_at_boot: bool = False
    if_match: str = ""
    count_paths: bool = True

    def __post_init__(self) -> None:
        if self.certificate not in certs.KINDS:
            raise ValueError(f"unknown certificate {self.certificate!r} (known: {', '.join(certs.KINDS)})")
        if self.power not in {None, "On", "Off"}:
            raise ValueError(f"power must be On or Off, not {self.power!r}")
        if self.if_match not in {"", "any", "strong", "bare", "star"}:
            raise ValueError(f"if_match must be any, strong, bare or star, not {self.if_match!r}")


@dataclass
class Counters:
    """Counts what reached a BMC.

    `bytes_out` counts bodies; `by_path` only with `count_paths`; `logins` those that succeeded; `writes` is what was to
    change something, but for sessions.
    """

    requests: int = 0
    logins: int = 0
    logouts: int = 0
    refused: int = 0
    bytes_out: int = 0
    by_path: Counter[str] = field(default_factory=Counter)
    writes: list[str] = field(default_factory=list)

    def reset(self) -> None:
        """Start counting anew."""
        vars(self).update(vars(Counters()))
