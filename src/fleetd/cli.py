# SPDX-License-Identifier: BSD-2-Clause
"""The command line. Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration.

A command lives in the `cli` module of its program, which imports the program itself only when the command runs.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import click

import fleetd

COMMANDS = {
    "backup": "fleetd.server.cli:make_backup",
    "credential": "fleetd.server.cli:credential",
    "demo": "fleetd.demo.cli:command",
    "export": "fleetd.server.cli:export",
    "init": "fleetd.server.cli:init",
    "migrate": "fleetd.server.cli:make_migrate",
    "monitor": "fleetd.monitor.cli:command",
    "prune": "fleetd.server.cli:prune",
    "restore": "fleetd.server.cli:make_restore",
    "runner": "fleetd.runner.cli:command",
    "serve": "fleetd.server.cli:serve",
    "token": "fleetd.server.cli:token",
    "version": "fleetd.cli:version",
}


class _LateCommands(click.Group):
    """A group whose commands are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        module, _colon, attribute = COMMANDS.get(cmd_name, "").partition(":")
        if not module:
            return None
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=_LateCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Configuration file. Default: $FLEETD_CONFIG, ./fleetd.yml, /etc/fleetd/fleetd.yml.",
)
@click.version_option(fleetd.__version__, prog_name="fleetd", message="%(prog)s %(version)s")
@click.pass_context
def main(ctx: click.Context, config_file: Path | None) -> None:
    """The machine server of baremetal.fleet and its power cycle runner.

    \b
    A first server:
      fleetd init              # writes fleetd.yml and the database, prints the first admin token once
      fleetd serve             # http://127.0.0.1:8480
      fleetd token create --scope runner --name rack1

    Every key of the file is also an environment variable (server.listen: FLEETD_SERVER__LISTEN);
    the command line wins over the environment, the environment over the file.
    """
    ctx.obj = config_file


@click.command()
def version() -> None:
    """Print the version."""
    click.echo(fleetd.__version__)
