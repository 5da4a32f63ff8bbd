# SPDX-License-Identifier: BSD-2-Clause
"""Commands of the machine server: `serve`, and what works on its database without one.

The server is imported when a command runs, not when its help is shown.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fleetd.common.commandline import Failure, load_settings, one_line_errors, print_table
from fleetd.server.kernel.auth.model import Scope

if TYPE_CHECKING:
    from fleetd.server.config import Settings
    from fleetd.server.kernel.capability import Services
    from fleetd.server.kernel.engine import Transactions

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_SCOPES = click.Choice([scope.value for scope in Scope])


def _settings(**overrides: dict[str, Any]) -> Settings:
    from fleetd.server.config import Settings  # noqa: PLC0415

    return load_settings(click.get_current_context(), Settings, **overrides)


@contextlib.contextmanager
def _store(settings: Settings) -> Iterator[Transactions]:
    """The database, whatever its schema. Known problems are one line."""
    from fleetd.server import app  # noqa: PLC0415

    with one_line_errors(), contextlib.closing(app.make_store(settings)) as store:
        yield store


@contextlib.contextmanager
def _services(settings: Settings) -> Iterator[Services]:
    """The use cases on the database, whose schema has to be of this version."""
    from fleetd.server import app  # noqa: PLC0415
    from fleetd.server.kernel import migrate  # noqa: PLC0415

    with _store(settings) as store:
        migrate.ready(store)
        yield app.make_services(settings, store)


@click.command()
@click.option("--directory", type=click.Path(file_okay=False, path_type=Path), default=Path(), show_default="here")
@click.option("--database-url", help="Another database than SQLite in that directory.")
@click.option("--listen", help="host:port to serve on.", show_default="127.0.0.1:8480")
@click.option("--token-only", is_flag=True, help="Print nothing but the token.")
def init(directory: Path, database_url: str | None, listen: str | None, token_only: bool) -> None:
    """Write a configuration and a key for credentials, make the database, print the first admin token once.

    \b
      fleetd init
      fleetd init --directory /etc/fleetd --database-url postgresql://fleetd@db/fleetd

    With --config the file is written there. Nothing is overwritten: a second run fails. Without the package
    `cryptography` (`pip install 'fleetd[credentials]'`) no key is written, and no credentials can be stored.
    """
    from sqlalchemy.engine import make_url  # noqa: PLC0415

    from fleetd.common import logs  # noqa: PLC0415
    from fleetd.common.settings import load_text  # noqa: PLC0415
    from fleetd.server import app  # noqa: PLC0415
    from fleetd.server.config import Settings  # noqa: PLC0415
    from fleetd.server.credentials.cipher import new_key  # noqa: PLC0415
    from fleetd.server.kernel import migrate  # noqa: PLC0415

    root: Path | None = click.get_current_context().find_root().obj
    file = root or directory / "fleetd.yml"
    keys = file.with_suffix(".key").absolute() if find_spec("cryptography") else None
    url = database_url or f"sqlite:///{(file.parent / 'fleetd.db').absolute()}"
    if file.exists():
        raise Failure(f"{file} exists; nothing was changed. Remove it, or choose another place with --config.")
    path = make_url(url).database if url.startswith("sqlite") else None
    if path and Path(path).exists():
        raise Failure(f"{path} exists; nothing was changed. Use it with `fleetd migrate`, or move it away.")
    if keys and keys.exists():
        raise Failure(f"{keys} exists; nothing was changed. Credentials may need it: move it away if none do.")
    text = _FIRST_CONFIG.format(listen=json.dumps(listen or "127.0.0.1:8480"), url=json.dumps(url))
    if keys:
        text += _FIRST_KEYS.format(keys=json.dumps(str(keys)))
    settings = load_text(Settings, text, str(file))
    logs.configure(settings.log.format, "warning")
    with one_line_errors():
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with _store(settings) as store, _private_files():
                if keys:
                    keys.write_text(f"{new_key()}\n", encoding="ascii")
                migrate.upgrade(store.engine)
                _token, secret = app.make_services(settings, store).tokens.create("admin", Scope.ADMIN, only_first=True)
                with file.open("x", encoding="utf-8") as stream:
                    stream.write(text)
        finally:
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


@click.command()
@click.option("--listen", help="host:port; port 0 takes a free one.")
@click.option("--database-url", "url", help="Database of this run.")
@click.option(
    "--migrate/--no-migrate", "upgrade", default=True, show_default=True, help="Bring the schema up to date first."
)
def serve(listen: str | None, url: str | None, upgrade: bool) -> None:
    """Run the machine server until SIGTERM or Ctrl-C.

    \b
      fleetd serve
      fleetd --config /etc/fleetd/fleetd.yml serve --listen 0.0.0.0:8480

    Prints its address when it answers; the log has it as event `listening` with `url`.
    """
    from fleetd.server import app  # noqa: PLC0415

    settings = _settings(server={"listen": listen}, database={"url": url})
    if upgrade:
        _upgrade(settings)
    with one_line_errors():
        app.serve(settings, lambda address: click.echo(f"fleetd serves {address}"))


def _upgrade(settings: Settings) -> tuple[str | None, str]:
    """Bring the schema to this version: the revisions before and after."""
    from fleetd.server.kernel import migrate  # noqa: PLC0415

    with _store(settings) as store, _private_files():
        return migrate.upgrade(store.engine)


@click.command("migrate")
def make_migrate() -> None:
    """Bring the database's schema to this version. Repeating it does nothing."""
    before, after = _upgrade(_settings())
    click.echo(f"schema {after}" if before == after else f"schema {before or 'empty'} -> {after}")


@click.command("backup")
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
def make_backup(path: Path) -> None:
    """Write all that the database has to PATH, while servers go on.

    \b
      fleetd backup /var/backups/fleetd-$(date +%F).jsonl.gz

    Credentials are in it encrypted, as in the database; their keys are not: keep those elsewhere.
    """
    from fleetd.server.kernel.backup import backup  # noqa: PLC0415

    with _store(_settings()) as store:
        counts = backup(store.engine, path)
    click.echo(f"{path}: {sum(counts.values())} rows of {len(counts)} tables, {counts['machines']} machines")


@click.command("restore")
@click.argument("path", type=click.Path(dir_okay=False, exists=True, path_type=Path))
def make_restore(path: Path) -> None:
    """Put a backup into an empty database, of whatever kind, and bring its schema to this version."""
    from fleetd.server.kernel.backup import restore  # noqa: PLC0415

    with _store(_settings()) as store, _private_files():
        schema, counts = restore(store.engine, path)
    rows, machines = sum(counts.values()), counts["machines"]
    click.echo(f"restored {rows} rows of {len(counts)} tables (schema {schema}), {machines} machines")


@click.command()
def prune() -> None:
    """Forget now what is older than `retention` says; servers do it by themselves."""
    with _services(_settings()) as services:
        gone = services.retention.prune()
    print_table(([count, what] for what, count in gone.items()), right=[0])


@click.command()
@click.argument("machines", nargs=-1)
@click.option(
    "--format",
    "form",
    type=click.Choice(["alloy", "device", "table"]),
    default="device",
    show_default=True,
    help="alloy: as FleetDB takes it from Alloy. device: as the API has it. table: for reading.",
)
@click.option("--source", type=click.Choice(["oob", "inband"]), help="What one source says. Default: the merged view.")
def export(machines: tuple[str, ...], form: str, source: str | None) -> None:
    """Print device documents, one line of JSON for each machine: {"machine": ..., "device": ...}.

    \b
      fleetd export --format alloy > fleet.jsonl
      fleetd export --format table rack1/node1

    Without MACHINES all of them, less those that nobody has looked at yet.
    """
    from fleetcore.errors import NotFound  # noqa: PLC0415

    from fleetd.server.export import FORMATS, tables  # noqa: PLC0415

    with _services(_settings()) as services:
        for machine in machines or [view.machine.id for view in services.machines.find()]:
            try:
                document = services.devices.get(machine, source)
            except NotFound:
                if machines:
                    raise
                continue
            if form != "table":
                click.echo(json.dumps({"machine": machine, "device": FORMATS[form](document)}))
                continue
            click.echo(machine)
            for title, headings, rows in tables(document):
                click.echo(f"\n{title}")
                print_table(rows, headings)


@click.group()
def credential() -> None:
    """The keys of stored credentials."""


@credential.command("key")
def credential_key() -> None:
    """Print a new key for credentials.key_file.

    \b
    To change keys: put the new one before the old ones in the file, restart the servers, run
    `fleetd credential rotate`, then remove the old ones and restart again.
    """
    from fleetd.server.credentials.cipher import new_key  # noqa: PLC0415

    click.echo(new_key())


@credential.command("rotate")
def credential_rotate() -> None:
    """Encrypt all credentials with the first key."""
    from fleetd.common import logs  # noqa: PLC0415

    settings = _settings()
    logs.configure(settings.log.format, "warning")
    with _services(settings) as services:
        changed = services.credentials.rotate()
    click.echo(f"{changed} credentials have the first key now that had another one")


@click.group()
def token() -> None:
    """Create, list and revoke API tokens (in the database: no server is needed)."""


@token.command("create")
@click.option("--name", required=True, help="Who uses it; unique among tokens that are not revoked.")
@click.option("--scope", type=_SCOPES, required=True)
@click.option("--machine", help="The machine of an agent's token.")
@click.option("--days", type=click.IntRange(1, 36500), help="Valid so long. Default: until revoked.")
@click.option("--token-only", is_flag=True, help="Print nothing but the token.")
def token_create(*, name: str, scope: str, machine: str | None, days: int | None, token_only: bool) -> None:
    """Print a new token, once.

    \b
      fleetd token create --name rack1-runner --scope runner
      fleetd token create --name alice --scope operator --days 90
    """
    with _services(_settings()) as services:
        expires_in = timedelta(days=days) if days else None
        _created, secret = services.tokens.create(name, Scope(scope), expires_in, machine)
    click.echo(secret if token_only else f"Token {name} ({scope}), shown only this once:\n\n  {secret}")


@token.command("list")
def token_list() -> None:
    """Print all tokens, without their secrets."""
    from fleetd.server import app  # noqa: PLC0415

    with _services(_settings()) as services:
        found = services.tokens.list()
    now = app.utc_now()
    rows = []
    for item in found:
        state = "revoked" if item.revoked_at else "valid" if item.valid(now) else "expired"
        expires = f"{item.expires_at:{_TIME}}" if item.expires_at else "-"
        rows.append([item.name, item.scope.value, state, f"{item.created_at:{_TIME}}", expires, item.id])
    print_table(rows, ["NAME", "SCOPE", "STATE", "CREATED", "EXPIRES", "ID"])


@token.command("revoke")
@click.argument("id_or_name")
def token_revoke(id_or_name: str) -> None:
    """Revoke a token by its id or name. Logins of the page that were made with it end."""
    with _services(_settings()) as services:
        found = services.tokens.revoke(id_or_name)
    click.echo(f"revoked {found.name} ({found.id})")
