# SPDX-License-Identifier: BSD-2-Clause
"""Command `fleetd runner`. The runner is imported when it runs, not when its help is shown."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from fleetd.common.commandline import errors_of, load_settings


@click.command("runner")
@click.option("-i", "--inventory", multiple=True, help="Ansible inventory; may be given several times.")
@click.option("-l", "--pattern", help="Ansible host pattern that narrows the inventory.")
@click.option("--server-url", help="The machine server. Default: $FLEETD_URL.")
@click.option(
    "--state-dir", type=click.Path(file_okay=False, path_type=Path), help="Journal and runs; one runner each."
)
@click.option("--process", "processes", help="Kinds of work, separated by commas. Default: powercycle.")
@click.option(
    "--once", is_flag=True, help="Check, poll once, finish what that started, then exit (1 if anything failed)."
)
@click.pass_context
def command(ctx: click.Context, /, *, once: bool, **given: Any) -> None:
    """Do the work that the server has for the machines of an inventory, with the playbooks of baremetal.fleet.

    Without --process that is power cycles; collect_oob, collect_inband and processes of your own (runner.definitions)
    are others.

    The token comes from $FLEETD_TOKEN or the configuration (runner.token), never from the command line. BMC credentials
    are the inventory's (host variables bmc_username and bmc_password, vault) or $BMC_USERNAME and $BMC_PASSWORD.

    SIGTERM: take no new work, finish running cycles, exit. A second one: exit at once; running cycles finish by
    themselves and are picked up at the next start.
    """
    from fleetd.runner import app  # noqa: PLC0415
    from fleetd.runner.config import Settings  # noqa: PLC0415

    settings = load_settings(ctx, Settings, runner=given)
    with errors_of("runner"):
        done = app.run(settings, once=once)
    sys.exit(0 if done else 1)
