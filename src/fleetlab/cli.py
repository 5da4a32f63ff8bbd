# SPDX-License-Identifier: BSD-2-Clause
"""`fleetlab`: virtual BMCs from the command line."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TextIO

import click

from fleetlab.bmc import Bmc
from fleetlab.farm import Farm, fleet
from fleetlab.faults import KINDS, Fault
from fleetlab.spec import BmcSpec
from fleetlab.state import Event, PowerBehaviour
from fleetlab.tree import TreeError

_YES = {"1", "true", "yes", "on"}
_NO = {"0", "false", "no", "off"}


def seconds(text: str) -> float:
    """`20ms`, `1.5s` or `2` -> seconds. Raises ValueError."""
    if text.endswith("ms"):
        return float(text[:-2]) / 1000
    return float(text.removesuffix("s"))


def _boolean(text: str) -> bool:
    if text.lower() in _YES | _NO:
        return text.lower() in _YES
    raise ValueError("yes or no")


def _reader(kind: object) -> Callable[[str], Any]:
    """How a setting is read that has this type."""
    for word, read in (("bool", _boolean), ("float", seconds), ("int", int)):
        if word in str(kind):
            return read
    return str


_READERS: dict[str, Callable[[str], Any]] = {
    item.name: _reader(item.type) for item in fields(BmcSpec) if item.name not in ("behaviour", "faults")
}
_BEHAVIOUR_READERS: dict[str, Callable[[str], Any]] = {item.name: _reader(item.type) for item in fields(PowerBehaviour)}
_SHORT = {"user": "username"}


def parse_bmc(text: str, default: BmcSpec) -> list[BmcSpec]:
    """Read `tree=server,port=8001,count=3,...`: the default with changes, `count` times. Raises click.BadParameter."""
    values: dict[str, Any] = {}
    changes: dict[str, Any] = {}
    faults = list(default.faults)
    count = 1
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        name = _SHORT.get(name, name)
        try:
            if name == "count":
                count = int(value)
            elif name == "fault":
                faults.append(Fault.parse(value.replace(";", ",")))
            elif name in _READERS:
                values[name] = _READERS[name](value)
            elif name in _BEHAVIOUR_READERS:
                changes[name] = _BEHAVIOUR_READERS[name](value)
            else:
                known = ", ".join(sorted({"count", "fault", "user", *_READERS, *_BEHAVIOUR_READERS}))
                raise click.BadParameter(f"{name!r} is none of: {known}")
        except ValueError as problem:
            raise click.BadParameter(f"{name}={value!r} is no valid value: {problem}") from None
    try:
        behaviour = replace(default.behaviour, **changes)
        return fleet(replace(default, behaviour=behaviour, faults=tuple(faults), **values), count)
    except ValueError as problem:
        raise click.BadParameter(str(problem)) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Virtual hardware to try the collection and the machine server on."""


@main.command(
    epilog="Settings in --bmc: count, fault (as --fault, with ; for ,), "
    + ", ".join([*_READERS, *_BEHAVIOUR_READERS])
    + ".\n\n\b\nKinds of faults:\n"
    + "\n".join(f"  {name:14} {text}" for name, text in KINDS.items())
    + "\n\n\b\nExamples:\n"
    "  fleetlab farm --count 3 --base-port 8001\n"
    "  fleetlab farm --bmc tree=server,port=8001 --bmc tree=multinode,port=8002,off_seconds=3\n"
    "  fleetlab farm --bmc 'count=9' --bmc 'fault=hang:path=*/Storage*;times=3'\n"
    "  fleetlab farm --tree dell-r750.tar.gz --unique --count 1000 --base-port 20000 --latency 20ms\n"
    "  fleetlab farm --fault slow:path=*/Storage*,seconds=4 --fault status:status=503,times=2\n"
)
@click.option(
    "--bmc",
    "bmcs",
    multiple=True,
    metavar="NAME=VALUE,...",
    help="One BMC with settings of its own; may be repeated. Names: see below.",
)
@click.option("--count", type=click.IntRange(1), help="This many BMCs alike (default: 1, or 0 with --bmc).")
@click.option("--tree", default="server", show_default=True, help="Built-in server or multinode, or a mockup's path.")
@click.option("--address", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--base-port", type=int, default=0, help="Port of the first of --count BMCs (default: any free ones).")
@click.option("--by-address", is_flag=True, help="With --count: one port, successive addresses from --address on.")
@click.option("--username", default="admin", show_default=True)
@click.option("--password", default="password", show_default=True, envvar="FLEETLAB_PASSWORD", show_envvar=True)
@click.option("--tls/--no-tls", default=True, show_default=True, help="HTTPS with a certificate made at start.")
@click.option("--latency", default="0", metavar="TIME", help="Wait before each answer: 20ms, 1.5s.")
@click.option("--expand", type=int, help="Levels of $expand to advertise, 0 for none (default: as in the tree).")
@click.option("--unique", is_flag=True, help="Give captured machines serials, UUIDs and MACs of their own.")
@click.option("--fault", "faults", multiple=True, metavar="KIND[:NAME=VALUE,...]", help="A fault of all BMCs.")
@click.option("--log", type=click.File("a"), help="Write the JSON lines there instead of to standard output.")
def farm(
    *,
    bmcs: tuple[str, ...],
    count: int | None,
    faults: tuple[str, ...],
    latency: str,
    base_port: int,
    by_address: bool,
    log: TextIO | None,
    **settings: Any,
) -> None:
    """Run virtual BMCs until interrupted.

    Prints a JSON line for each BMC when it is ready, with its URL, and one for each power transition.
    """
    try:
        settings |= {"latency": seconds(latency), "faults": tuple(map(Fault.parse, faults))}
    except ValueError as problem:
        raise click.UsageError(str(problem)) from None
    default = BmcSpec(**settings)
    specs = [spec for text in bmcs for spec in parse_bmc(text, default)]
    specs += fleet(replace(default, port=base_port), (0 if bmcs else 1) if count is None else count, by_address)
    try:
        asyncio.run(_run(specs, log or sys.stdout))
    except (TreeError, OSError) as problem:
        raise click.ClickException(str(problem)) from None


async def _run(specs: list[BmcSpec], out: TextIO) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    def say(**line: Any) -> None:
        out.write(json.dumps(line) + "\n")
        out.flush()

    def on_event(bmc: Bmc, event: Event) -> None:
        say(**event, bmc=bmc.name, url=bmc.url)

    async with Farm(specs, on_event) as running:
        for bmc in running.bmcs:
            say(
                event="ready",
                bmc=bmc.name,
                url=bmc.url,
                tree=bmc.spec.tree,
                username=bmc.username,
                serial=bmc.serial,
                systems=[path.rpartition("/")[2] for path in bmc.systems],
                fingerprint=bmc.fingerprint or None,
            )
        await stop.wait()
