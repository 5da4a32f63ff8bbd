# SPDX-License-Identifier: BSD-2-Clause
"""Command `fleetd monitor`. The monitor is imported when it runs, not when its help is shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from fleetd.common.commandline import errors_of, load_settings


@click.command("monitor")
@click.option("--machine", help="Id of this machine. Default: its host name.")
@click.option("--server-url", help="The machine server. Default: $FLEETD_URL.")
@click.option("--token-file", type=click.Path(dir_okay=False, path_type=Path), help="File with the machine's token.")
@click.option("--state-dir", type=click.Path(file_okay=False, path_type=Path), help="The spool; one monitor each.")
@click.option("--once", is_flag=True, help="Send what waits and one event, then exit (1 if it did not arrive).")
@click.option("--print", "show", is_flag=True, help="Print what would be sent, send nothing.")
@click.option("--device", is_flag=True, help="With --once or --print: a device document, too.")
@click.pass_context
def command(ctx: click.Context, /, *, once: bool, show: bool, device: bool, **given: Any) -> None:
    """Report this machine to the machine server: events, device documents, and what becomes of its description.

    The token comes from a file (--token-file, monitor.token_file), the configuration (monitor.token) or $FLEETD_TOKEN,
    never from the command line. Run it as root for the full picture; as another user, device documents say what is
    missing.

    SIGTERM: send what is on its way, keep the rest in the spool, exit.
    """
    from fleetd.monitor import app  # noqa: PLC0415
    from fleetd.monitor.config import Settings  # noqa: PLC0415

    settings = load_settings(ctx, Settings, monitor=given)
    if device and not (once or show):
        raise click.UsageError("--device needs --once or --print; otherwise monitor.device_seconds says when")
    with errors_of("monitor"):
        if show:
            click.echo(json.dumps(app.report(settings, device=device), indent=2, ensure_ascii=False))
            return
        done = app.run(settings, once=once, device=device)
    sys.exit(0 if done else 1)
