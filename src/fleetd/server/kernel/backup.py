# SPDX-License-Identifier: BSD-2-Clause
"""Backups: all rows of all tables as of one moment, as JSON lines, compressed; they restore on any supported database.

A backup is read in one snapshot (SQLite: a read transaction on the write-ahead log; PostgreSQL: repeatable read;
CockroachDB: serializable), so servers go on writing meanwhile. Secrets are in it as they are in the database:
encrypted, or as digests. Lines: a header with the schema's revision and the columns, ``[table, [value, ...]]`` for
each row, and the counts, without which a file is not whole.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from fleetcore.errors import ConflictError, InvalidInput
from sqlalchemy import Connection, DateTime, Engine, LargeBinary, MetaData, Table, exc, func, insert, select

from fleetd.server.kernel import migrate, tables
from fleetd.server.kernel.engine import translated

FORMAT = "fleetd-backup"
VERSION = 1
_BATCH = 500


def backup(engine: Engine, path: Path) -> Mapping[str, int]:
    """Write the backup; how many rows of each table. The file appears when it is whole.

    :raises ConflictError: it exists. :raises InvalidInput: the schema is not of this version.
    :raises Busy: the database does not answer.
    """
    if path.exists():
        raise ConflictError(f"{path} exists; choose another name")
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as raw:
            with gzip.open(raw, "wt", encoding="ascii", compresslevel=6) as stream:
                counts = _dump(engine, stream)
            raw.flush()
            os.fsync(raw.fileno())
        partial.rename(path)
    except exc.DBAPIError as error:
        raise translated(error) from error
    finally:
        partial.unlink(missing_ok=True)
    return counts


def _dump(engine: Engine, stream: IO[str]) -> Mapping[str, int]:
    options: dict[str, Any] = {"stream_results": True, "yield_per": _BATCH}
    if engine.dialect.name == "sqlite":
        options["fleetd_write"] = False
    elif engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    counts: Counter[str] = Counter()
    with engine.connect().execution_options(**options) as connection, connection.begin():
        revision = migrate.current(connection)
        if revision != migrate.head():
            raise InvalidInput(f"the schema is {revision or 'empty'}, not {migrate.head()}: run `fleetd migrate`")
        known = tables.metadata.sorted_tables
        columns = {table.name: [column.name for column in table.columns] for table in known}
        made = datetime.now(UTC).isoformat()
        _line(stream, {"format": FORMAT, "version": VERSION, "schema": revision, "made_at": made, "tables": columns})
        for table in known:
            for row in connection.execute(select(table)):
                _line(stream, [table.name, [_plain(value) for value in row]])
                counts[table.name] += 1
        _line(stream, {"counts": {table.name: counts[table.name] for table in known}})
    return {table.name: counts[table.name] for table in known}


def _line(stream: IO[str], value: Any) -> None:
    stream.write(json.dumps(value, separators=(",", ":")) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, datetime) else value


def restore(engine: Engine, path: Path) -> tuple[str, Mapping[str, int]]:
    """Put a backup into an empty database, all of it or nothing, and bring the schema to this version.

    :returns: the revision that the backup had, and how many rows of each table.
    :raises ConflictError: the database is not empty.
    :raises InvalidInput: not a whole backup, or one of a newer version.
    """
    try:
        with gzip.open(path, "rt", encoding="ascii") as stream, engine.begin() as connection:
            lines = (json.loads(line) for line in stream)
            header = _header(next(lines, None), path)
            _prepare(connection, header["schema"])
            counts = _fill(connection, header, lines, path)
            migrate.to(connection, "head")
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidInput(f"{path}: not a whole backup: {error}") from None
    except exc.IntegrityError as error:
        raise InvalidInput(f"{path}: its rows contradict each other: {error.orig}") from None
    except exc.DBAPIError as error:
        raise translated(error) from error
    return header["schema"], counts


def _header(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InvalidInput(f"{path}: not a backup of fleetd")
    if value.get("version") != VERSION or not migrate.knows(value.get("schema", "")):
        raise InvalidInput(f"{path}: made by a newer version (schema {value.get('schema')}); install that version")
    return value


def _prepare(connection: Connection, schema: str) -> None:
    """An empty database with the backup's schema."""
    present = migrate.current(connection)
    if present is None:
        migrate.to(connection, schema)
        return
    filled = [table.name for table in _reflected(connection).values() if _count(connection, table)]
    if filled or present != schema:
        what = f"has rows in {', '.join(sorted(filled))}" if filled else f"has schema {present}, the backup {schema}"
        path = connection.engine.url.database if connection.dialect.name == "sqlite" else None
        how = (
            f"move {path} away (`fleetd init` made it, if it is new) and restore again: that makes a new one"
            if path
            else "make an empty one, name it in database.url, and restore into that"
        )
        raise ConflictError(f"the database is not empty: it {what}; {how}")


def _reflected(connection: Connection) -> dict[str, Table]:
    found = MetaData()
    found.reflect(connection)
    return {name: table for name, table in found.tables.items() if name != "alembic_version"}


def _count(connection: Connection, table: Table) -> int:
    return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _fill(connection: Connection, header: Mapping[str, Any], lines: Iterator[Any], path: Path) -> Mapping[str, int]:
    present = _reflected(connection)
    columns: Mapping[str, list[str]] = header["tables"]
    batch: list[dict[str, Any]] = []
    current = ""

    def flush() -> None:
        if batch:
            connection.execute(insert(present[current]), batch)
            batch.clear()

    for line in lines:
        if isinstance(line, dict):
            flush()
            counts: dict[str, int] = line["counts"]
            wrong = [name for name, count in counts.items() if _count(connection, present[name]) != count]
            if wrong:
                raise InvalidInput(f"{path}: other counts of rows than it says: {', '.join(wrong)}")
            return counts
        table, values = line
        if table not in present:
            raise InvalidInput(f"{path}: schema {header['schema']} has no table {str(table)[:80]}")
        if table != current or len(batch) >= _BATCH:
            flush()
            current = table
        batch.append(
            {
                name: _typed(present[table].columns[name], value, connection)
                for name, value in zip(columns[table], values, strict=True)
            }
        )
    raise InvalidInput(f"{path}: not a whole backup: its end is missing")


def _typed(column: Any, value: Any, connection: Connection) -> Any:
    if value is not None and isinstance(column.type, LargeBinary):
        return base64.b64decode(value)
    if value is None or not isinstance(column.type, DateTime):
        return value
    return tables.UtcDateTime().process_bind_param(datetime.fromisoformat(value), connection.dialect)
