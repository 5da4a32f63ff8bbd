# SPDX-License-Identifier: BSD-2-Clause
"""The command line. Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import click

import fleetd
from fleetd import config, logs

# Commands that live in modules of their own and are imported when they are asked for: "name": "module:attribute".
LAZY_COMMANDS = {
    "runner": "fleetd.runner_app:command",
    "demo": "fleetd.demo:command",
}


class _Group(click.Group):
    """A group that imports some commands late, and turns configuration errors into one line and exit code 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(name for name in LAZY_COMMANDS if self._lazy(name))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, cmd_name) or self._lazy(cmd_name)

    @staticmethod
    def _lazy(name: str) -> click.Command | None:
        if name not in LAZY_COMMANDS:
            return None
        module, _colon, attribute = LAZY_COMMANDS[name].partition(":")
        try:
            command = getattr(importlib.import_module(module), attribute)
        except ModuleNotFoundError as exc:
            if exc.name != module:
                raise
            return None
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except config.ConfigError as exc:
            click.echo(f"fleetd: {exc}", err=True)
            sys.exit(2)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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


def load_settings(ctx: click.Context, **overrides: dict[str, Any]) -> config.Settings:
    """The settings that hold for this call, with logging set up by them.

    :raises config.ConfigError: the group turns it into one line and exit code 2.
    """
    settings = config.load(ctx.find_root().obj, overrides)
    logs.configure(settings.log.format, settings.log.level)
    return settings


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(fleetd.__version__)
