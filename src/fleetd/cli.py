# SPDX-License-Identifier: BSD-2-Clause
"""The command line. Exit codes: 0 done, 1 it failed, 2 wrong usage or configuration."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from fleetcore.errors import FleetError

import fleetd
from fleetd.common import logs
from fleetd.common import settings as config
from fleetd.server.kernel.auth.model import Scope

if TYPE_CHECKING:
    from fleetd.server import app
    from fleetd.server.kernel.auth.service import Tokens
else:

    class _Late:
        """The server's composition root, imported when it is used: the monitor is to be small, and starts without it."""

        def __getattr__(self, name: str) -> Any:
            return getattr(importlib.import_module("fleetd.server.app"), name)

    app = _Late()

# Commands that live in modules of their own and are imported when they are asked for: "name": "module:attribute".
LAZY_COMMANDS = {
    "runner": "fleetd.runner.app:command",
    "monitor": "fleetd.monitor.app:command",
    "demo": "fleetd.demo.app:command",
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


_SCOPES = click.Choice([scope.value for scope in Scope])


def _fail(message: str) -> NoReturn:
    click.echo(f"fleetd: {message}", err=True)
    sys.exit(1)


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    """Known problems are one line and exit code 1, not a traceback."""
    try:
        yield
    except FleetError as exc:
        _fail(exc.message)
    except OSError as exc:
        _fail(exc.strerror or str(exc))


@main.command()
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), default=Path(), show_default="here")
@click.option("--database-url", help="Another database than SQLite in that directory.")
@click.option("--listen", help="host:port to serve on.", show_default="127.0.0.1:8480")
@click.option("--token-only", is_flag=True, help="Print nothing but the token.")
@click.pass_context
def init(ctx: click.Context, directory: Path, database_url: str | None, listen: str | None, token_only: bool) -> None:
    """Write a configuration and a key for credentials, make the database, print the first admin token once.

    \b
      fleetd init
      fleetd init --directory /etc/fleetd --database-url postgresql://fleetd@db/fleetd

    With --config the file is written there. Nothing is overwritten: a second run fails. Without the package `cryptography`
    (`pip install 'fleetd[credentials]'`) no key is written, and no credentials can be stored.
    """
    from sqlalchemy.engine import make_url  # noqa: PLC0415 - see _Late

    from fleetd.server.credentials.cipher import new_key  # noqa: PLC0415 - see _Late

    root: Path | None = ctx.find_root().obj
    file = root or directory / "fleetd.yml"
    keys = file.with_suffix(".key").absolute() if find_spec("cryptography") else None
    url = database_url or f"sqlite:///{(file.parent / 'fleetd.db').absolute()}"
    with _one_line_errors():
        if file.exists():
            _fail(f"{file} exists; nothing was changed. Remove it, or choose another place with --config.")
        path = make_url(url).database if url.startswith("sqlite") else None
        if path and Path(path).exists():
            _fail(f"{path} exists; nothing was changed. Use it with `fleetd migrate`, or move it away.")
        if keys and keys.exists():
            _fail(f"{keys} exists; nothing was changed. Credentials may need it: move it away if none do.")
        text = _FIRST_CONFIG.format(listen=json.dumps(listen or "127.0.0.1:8480"), url=json.dumps(url))
        if keys:
            text += _FIRST_KEYS.format(keys=json.dumps(str(keys)))
        settings = config.load_text(text, str(file))
        logs.configure(settings.log.format, "warning")
        file.parent.mkdir(parents=True, exist_ok=True)
        store = app.make_store(settings)
        try:
            with _private_files():
                if keys:
                    keys.write_text(f"{new_key()}\n", encoding="ascii")
                app.migrate_store(store)
                _token, secret = app.make_services(settings, store).tokens.create("admin", Scope.ADMIN, only_first=True)
                with file.open("x", encoding="utf-8") as stream:
                    stream.write(text)
        finally:
            store.close()
            if keys and not file.exists():
                keys.unlink(missing_ok=True)
    if token_only:
        click.echo(secret)
        return
    click.echo(f"Wrote {file}\nDatabase {url if path else make_url(url).render_as_string(hide_password=True)}")
    click.echo(f"Key of credentials {keys} (not in the database: back it up too)\n" if keys else "")
    click.echo(f"Admin token, shown only this once:\n\n  {secret}\n\nNext: fleetd --config {file} serve")


@contextlib.contextmanager
def _private_files() -> Iterator[None]:
    """New files are of their owner only."""
    previous = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(previous)


_FIRST_CONFIG = """\
# Configuration of fleetd. All keys: docs/machine-server.md.
server:
  listen: {listen}
database:
  url: {url}
"""

_FIRST_KEYS = """\
credentials:
  key_file: {keys}
"""


@main.command()
@click.option("--listen", help="host:port; port 0 takes a free one.")
@click.option("--database-url", "url", help="Database of this run.")
@click.option(
    "--migrate/--no-migrate", "upgrade", default=True, show_default=True, help="Bring the schema up to date first."
)
@click.pass_context
def serve(ctx: click.Context, listen: str | None, url: str | None, upgrade: bool) -> None:
    """Run the machine server until SIGTERM or Ctrl-C.

    \b
      fleetd serve
      fleetd --config /etc/fleetd/fleetd.yml serve --listen 0.0.0.0:8480

    Prints its address when it answers; the log has it as event `listening` with `url`.
    """
    settings = load_settings(ctx, server={"listen": listen}, database={"url": url})
    with _one_line_errors():
        if upgrade:
            _upgrade(settings)
        app.serve(settings, lambda address: click.echo(f"fleetd serves {address}"))


@main.command()
@click.pass_context
def migrate(ctx: click.Context) -> None:
    """Bring the database's schema to this version. Repeating it does nothing."""
    settings = load_settings(ctx)
    with _one_line_errors():
        before, after = _upgrade(settings)
    click.echo(f"schema {after}" if before == after else f"schema {before or 'empty'} -> {after}")


def _upgrade(settings: config.Settings) -> tuple[str | None, str]:
    store = app.make_store(settings)
    try:
        with _private_files():
            return app.migrate_store(store)
    finally:
        store.close()


@main.command("backup")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.pass_context
def make_backup(ctx: click.Context, path: Path) -> None:
    """Write all that the database has to PATH, while servers go on.

    \b
      fleetd backup /var/backups/fleetd-$(date +%F).jsonl.gz

    Credentials are in it encrypted, as in the database; their keys are not: keep those elsewhere.
    """
    settings = load_settings(ctx)
    with _one_line_errors(), contextlib.closing(app.make_store(settings)) as store:
        counts = app.backup(store, path)
    click.echo(f"{path}: {sum(counts.values())} rows of {len(counts)} tables, {counts['machines']} machines")


@main.command("restore")
@click.argument("path", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@click.pass_context
def make_restore(ctx: click.Context, path: Path) -> None:
    """Put a backup into an empty database, of whatever kind, and bring its schema to this version."""
    settings = load_settings(ctx)
    with _one_line_errors(), contextlib.closing(app.make_store(settings)) as store, _private_files():
        schema, counts = app.restore(store, path)
    click.echo(
        f"restored {sum(counts.values())} rows of {len(counts)} tables (schema {schema}), {counts['machines']} machines"
    )


@main.command()
@click.pass_context
def prune(ctx: click.Context) -> None:
    """Forget now what is older than `retention` says; servers do it by themselves."""
    settings = load_settings(ctx)
    with _one_line_errors(), contextlib.closing(app.make_store(settings)) as store:
        app.ready(store)
        gone = app.make_services(settings, store).retention.prune()
    for what, count in gone.items():
        click.echo(f"{count:8} {what}")


@main.group()
def credential() -> None:
    """The keys of stored credentials."""


@credential.command("key")
def credential_key() -> None:
    """Print a new key for credentials.key_file.

    \b
    To change keys: put the new one before the old ones in the file, restart the servers, run
    `fleetd credential rotate`, then remove the old ones and restart again.
    """
    from fleetd.server.credentials.cipher import new_key  # noqa: PLC0415 - see _Late

    click.echo(new_key())


@credential.command("rotate")
@click.pass_context
def credential_rotate(ctx: click.Context) -> None:
    """Encrypt all credentials with the first key."""
    settings = load_settings(ctx)
    logs.configure(settings.log.format, "warning")
    with _one_line_errors():
        store = app.make_store(settings)
        try:
            app.ready(store)
            changed = app.make_services(settings, store).credentials.rotate()
        finally:
            store.close()
    click.echo(f"{changed} credentials have the first key now that had another one")


@main.group()
def token() -> None:
    """Create, list and revoke API tokens (in the database: no server is needed)."""


@contextlib.contextmanager
def _tokens(ctx: click.Context) -> Iterator[Tokens]:
    settings = load_settings(ctx)
    with _one_line_errors():
        store = app.make_store(settings)
        try:
            app.ready(store)
            yield app.make_services(settings, store).tokens
        finally:
            store.close()


@token.command("create")
@click.option("--name", required=True, help="Who uses it; unique among tokens that are not revoked.")
@click.option("--scope", type=_SCOPES, required=True)
@click.option("--machine", help="The machine of an agent's token.")
@click.option("--days", type=click.IntRange(1, 36500), help="Valid so long. Default: until revoked.")
@click.option("--token-only", is_flag=True, help="Print nothing but the token.")
@click.pass_context
def token_create(
    ctx: click.Context, *, name: str, scope: str, machine: str | None, days: int | None, token_only: bool
) -> None:
    """Print a new token, once.

    \b
      fleetd token create --name rack1-runner --scope runner
      fleetd token create --name alice --scope operator --days 90
    """
    with _tokens(ctx) as tokens:
        expires_in = timedelta(days=days) if days else None
        _created, secret = tokens.create(name, Scope(scope), expires_in, machine)
    click.echo(secret if token_only else f"Token {name} ({scope}), shown only this once:\n\n  {secret}")


@token.command("list")
@click.pass_context
def token_list(ctx: click.Context) -> None:
    """Print all tokens, without their secrets."""
    with _tokens(ctx) as tokens:
        found = tokens.list()
    now = app.utc_now()
    click.echo(f"{'NAME':<24} {'SCOPE':<9} {'STATE':<8} {'CREATED':<20} {'EXPIRES':<20} ID")
    for item in found:
        state = "revoked" if item.revoked_at else "valid" if item.valid(now) else "expired"
        expires = f"{item.expires_at:%Y-%m-%dT%H:%M:%SZ}" if item.expires_at else "-"
        created = f"{item.created_at:%Y-%m-%dT%H:%M:%SZ}"
        click.echo(f"{item.name:<24} {item.scope.value:<9} {state:<8} {created:<20} {expires:<20} {item.id}")


@token.command("revoke")
@click.argument("id_or_name")
@click.pass_context
def token_revoke(ctx: click.Context, id_or_name: str) -> None:
    """Revoke a token by its id or name. Logins of the page that were made with it end."""
    with _tokens(ctx) as tokens:
        found = tokens.revoke(id_or_name)
    click.echo(f"revoked {found.name} ({found.id})")
