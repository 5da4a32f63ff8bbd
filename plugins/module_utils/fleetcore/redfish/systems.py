# SPDX-License-Identifier: BSD-2-Clause

"""The one rule for which ComputerSystem behind a BMC is the host. Pure; reading, acting and power all ask it.

A BMC may list more than the machine: virtual machines, the nodes of a chassis, boards of accelerators. A system that
can boot is a host. A board that can't boot is a part of the only system that can. Between two hosts nobody guesses: one
has to be named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..errors import BadResponse, InvalidInput, NotFound
from .actions import action_target
from .values import id_of, last_part

System = tuple[str, Mapping[str, Any]]
"""Path and body of one ComputerSystem."""

RESET = "ComputerSystem.Reset"
_REAL = (None, "Physical", "PhysicallyPartitioned")
_COMPUTERS = (*_REAL, "VirtuallyPartitioned", "OS", "Composed")
# Properties of Boot by which a machine is booted. Boards of accelerators show a Boot with annotations and settings
# only.
_BOOTING = (
    "BootNext",
    "BootOptions",
    "BootOrder",
    "BootSourceOverrideEnabled",
    "BootSourceOverrideTarget",
    "UefiTargetBootSourceOverride",
)
# What differs between the names of the nodes of one chassis: a UUID, a serial number, a number, a letter at the end, a
# side.
_NUMBERS = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
    r"|(?<![A-Za-z0-9])(?=[A-Z]*\d)[A-Z0-9]{6,}(?![A-Za-z0-9])"
    r"|\d+"
    r"|(?:(?<=[a-z])[A-Z]|(?<![A-Za-z0-9])[A-Za-z])$"
    r"|left$|right$|upper$|lower$|Left$|Right$|Upper$|Lower$"
)


class Choice(NamedTuple):
    """Which of the systems is meant, and what the others are to it.

    :ivar path: the host. ``parts``: paths of the boards that belong to it, though they are listed as systems.
    :ivar others: (id, path) of the other machines.
    :ivar silent: names of the members that did not answer, and were left out.
    """

    path: str
    parts: tuple[str, ...]
    others: tuple[tuple[str, str], ...]
    silent: tuple[str, ...]


def choose_system(
    systems: Sequence[System], wanted: Optional[str] = None, silent: Iterable[str] = (), address: Optional[str] = None
) -> Choice:
    """Say which of the systems of a BMC is meant. Never guesses.

    :param wanted: the ``Id`` of a system, or the last part of its path; None: the only machine that there is.
    :param silent: paths of the members that did not answer. They are left out, unless one may be a machine like the
        chosen one.
    :param address: of the BMC, for messages.
    :raises NotFound: there is none, or not the wanted one. :raises BadResponse: the wanted one did not answer.
    :raises InvalidInput: there are several machines, and none is named.
    """
    where = f"{address}: " if address else ""
    ids = {path: id_of(path, body) for path, body in systems}
    mute = tuple(silent)
    note = f" ({', '.join(map(last_part, mute))} did not answer)" if mute else ""
    if not systems:
        raise NotFound(f"{where}the BMC lists no system{note}")
    if wanted is not None:
        named = [path for path in ids if wanted in (ids[path], last_part(path))]
        if not named and wanted in map(last_part, mute):
            raise BadResponse(f"{where}system {wanted!r} did not answer", system=wanted)
        if not named:
            raise NotFound(
                f"{where}system {wanted!r} is not behind this BMC; there are: {', '.join(sorted(ids.values()))}{note}",
                system=wanted,
                systems=sorted(ids.values()),
            )
        chosen = named[0]
    else:
        meant = _meant(systems)
        bare = not set(meant).intersection(_hosts(systems))  # no machine, by what it shows: that may be a silent one
        rivals = [last_part(path) for path in mute if bare or _alike(last_part(path), last_part(meant[0]))]
        if len(meant) > 1 or rivals:
            names = sorted([*ids.values(), *rivals])
            raise InvalidInput(
                f"{where}several systems are behind this BMC: name one of them with `system`: {', '.join(names)}{note}",
                systems=names,
            )
        chosen = meant[0]
    hosts = _hosts(systems)
    parts = tuple(path for path in ids if path not in hosts) if hosts == [chosen] else ()
    others = [(name, path) for path, name in ids.items() if path != chosen and path not in parts]
    others += [(last_part(path), path) for path in mute if _alike(last_part(path), last_part(chosen))]
    return Choice(chosen, parts, tuple(others), tuple(map(last_part, mute)))


def _meant(systems: Sequence[System]) -> list[str]:
    """The systems that may be meant when none is named: the only real machine, else the only host, else all of them."""
    real = [(path, body) for path, body in systems if body.get("SystemType") in _REAL]
    hosts = _hosts(real)
    return [real[0][0]] if len(real) == 1 else hosts if len(hosts) == 1 else [path for path, _body in systems]


def _hosts(systems: Sequence[System]) -> list[str]:
    """Those that can boot; where the BMC says that of none, those that can be reset.

    What can't be reset and has no firmware counts for nothing beside one that does, though its Boot has values.
    """
    computers = [(path, body) for path, body in systems if body.get("SystemType") in _COMPUTERS]
    booting = [(path, body) for path, body in computers if _boots(body)]
    able = [(path, body) for path, body in booting if _has_firmware(body) or action_target(body, RESET)]
    resettable = [(path, body) for path, body in computers if action_target(body, RESET)]
    return [path for path, _body in able or booting or resettable]


def _has_firmware(system: Mapping[str, Any]) -> bool:
    return any(system.get(name) for name in ("Bios", "BiosVersion", "HostName"))


def _boots(system: Mapping[str, Any]) -> bool:
    boot = system.get("Boot")
    return _has_firmware(system) or (isinstance(boot, Mapping) and any(boot.get(name) is not None for name in _BOOTING))


def _alike(one: str, other: str) -> bool:
    """Do two names differ as those of the nodes of one chassis do, in numbers above all?"""
    return _NUMBERS.sub("#", one) == _NUMBERS.sub("#", other)
