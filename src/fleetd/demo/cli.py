# SPDX-License-Identifier: BSD-2-Clause
"""Command `fleetd demo`. The demo is imported when it runs, not when its help is shown."""

from __future__ import annotations

import sys
from pathlib import Path

import click

DEFAULT_PORT = 8480


@click.command("demo")
@click.option("--work-dir", type=click.Path(file_okay=False, path_type=Path), default=Path(".demo"), show_default=True)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="0, or a port in use: a free one.",
)
@click.option(
    "--no-wait",
    is_flag=True,
    help="Stop everything after the last step, without leaving the page running. Default where $CI is set.",
)
def command(work_dir: Path, port: int, no_wait: bool) -> None:
    """Try everything on virtual BMCs: serve, register, collect, power cycle, look.

    Starts the machine server on SQLite, virtual BMCs (our farm, sushy-emulator, and ipmi_sim if it is installed),
    collects their inventory with ansible-playbook, power cycles some through the runner and shows what their BMCs
    recorded. It needs the collection baremetal.fleet in ANSIBLE_COLLECTIONS_PATH; `make demo` takes care of that.
    """
    from fleetd.demo import app  # noqa: PLC0415

    sys.exit(app.run(work_dir, port, no_wait=no_wait))
