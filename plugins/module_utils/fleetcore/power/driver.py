# SPDX-License-Identifier: BSD-2-Clause

"""Describes a power driver: each ``power/<name>.py`` says here, once, all that others have to know of it.

The options of modules and their documentation, the choices of ``drivers``, the server's schema and who shares a
controller follow from it. ``scripts/check_docs.py --write`` writes what has to be written down: ``registry.py``,
``names.py`` and the documentation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Optional

from ..option import Options, Params
from ..ports import Clock, PowerDriver


def _nobody(_params: Params) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)
class Driver:
    """One driver. A module imports third-party packages no earlier than in ``open``: every module imports all drivers.

    :ivar order: its place among those that need a BMC or among those that don't; the first are tried first and named
        first.
    :ivar options: what a module that has the driver takes besides.
    :ivar check: checks the options and gives what ``open`` takes; raises ``InvalidInput``.
    :ivar open: makes the driver; raises ``MissingDependency`` if a package or tool is not installed.
    :ivar controllers: names of what carries out its actions and does one at a time, see
        :func:`.controllers.controllers_of`.
    :ivar needs_bmc: it talks to the BMC. Those that don't can only switch power: everything else passes over them.
    :ivar apart: of one that needs a BMC, the options that tell apart machines whose BMC has one and the same address.
    :ivar requires: what has to be installed, for the documentation.
    """

    name: str
    order: int
    options: Options
    check: Callable[[Params], Any]
    open: Callable[[Any, Clock], PowerDriver]
    controllers: Callable[[Params], tuple[str, ...]] = _nobody
    needs_bmc: bool = False
    apart: tuple[str, ...] = ()
    requires: Optional[str] = None


def place(kind: str, host: str, port: Optional[int], usual: Optional[int] = None) -> str:
    """Name a controller by its address; a port that is the usual one is left out."""
    return f"{kind} {host.strip().lower()}" + ("" if port in (None, usual) else f":{port}")
