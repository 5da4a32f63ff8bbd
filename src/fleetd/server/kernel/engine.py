# SPDX-License-Identifier: BSD-2-Clause
"""Connections, transactions and their retries."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fleetcore.errors import Busy, InvalidInput, MissingDependency
from sqlalchemy import Connection, Engine, create_engine, event, exc
from sqlalchemy.engine import make_url

T = TypeVar("T")

ATTEMPTS = 10
_RETRIED_STATES = frozenset({"40001", "40P01"})  # serialization failure, deadlock


def make_engine(url: str, pool_size: int = 10) -> Engine:
    """An engine for ``url``.

    SQLite: write-ahead log, foreign keys, a busy time-out, and write transactions that take the write lock at their
    start, so that they never fail half-way. Others: connections are checked before use.

    :raises InvalidInput: the URL can't be used.
    :raises MissingDependency: its driver is not installed.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() != "sqlite":
            return create_engine(
                parsed,
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_pre_ping=True,
                pool_timeout=10,
                isolation_level="SERIALIZABLE" if parsed.get_backend_name() == "cockroachdb" else "READ COMMITTED",
            )
        if not parsed.database or parsed.database == ":memory:":
            raise InvalidInput("database.url: SQLite needs a file, for example sqlite:////var/lib/fleetd/fleetd.db")
        engine = create_engine(parsed, pool_size=5, max_overflow=45, connect_args={"timeout": 10})
    except exc.NoSuchModuleError as error:
        raise MissingDependency(
            f"database.url: no driver for it ({error}); CockroachDB: pip install sqlalchemy-cockroachdb"
        ) from None
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"database.url: the driver {error.name} is not installed; PostgreSQL: pip install 'fleetd[postgres]'"
        ) from None
    except exc.ArgumentError as error:
        raise InvalidInput(f"database.url: {error}") from None
    event.listen(engine, "connect", _on_sqlite_connect)
    event.listen(engine, "begin", _on_sqlite_begin)
    return engine


def _on_sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "busy_timeout=10000", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")


def _on_sqlite_begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("fleetd_write", True)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


@dataclass(frozen=True)
class TransactionCounts:
    """Of this process since it started: transactions that were run again, and that failed for good."""

    retried: int = 0
    failed: int = 0


class Transactions:
    """Runs functions in transactions. ``retried`` and ``failed`` count, about: threads may lose one.

    :param before_commit: the last step of each transaction that writes.
    """

    def __init__(
        self,
        engine: Engine,
        sleep: Callable[[float], None] = time.sleep,
        before_commit: Callable[[Connection], None] = lambda _connection: None,
    ) -> None:
        self.engine = engine
        self._sleep = sleep
        self._before_commit = before_commit
        self._options = engine.dialect.name == "sqlite"
        self.retried = 0
        self.failed = 0
        self._joined = threading.local()

    def read(self, function: Callable[[Connection], T]) -> T:
        """What ``function`` returns; it must not write."""
        return self._run(function, write=False, again_on_conflict=False)

    def write(self, function: Callable[[Connection], T], again_on_conflict: bool = False) -> T:
        """What ``function`` returns once its writes are committed. It may run more than once.

        :param again_on_conflict: a violated constraint means that somebody was faster: look again.
        :raises Busy: the database is gone, or it stayed busy through all attempts.
        :raises sqlalchemy.exc.IntegrityError: a constraint is violated.
        """
        return self._run(function, write=True, again_on_conflict=again_on_conflict)

    def together(self, function: Callable[[], T]) -> T:
        """What ``function`` returns; all that it reads and writes by this object, in this thread, is one transaction.

        It may run more than once. :raises: as :meth:`write`; a violated constraint makes it look again.
        """

        def work(connection: Connection) -> T:
            self._joined.connection = connection
            try:
                return function()
            finally:
                self._joined.connection = None

        return self._run(work, write=True, again_on_conflict=True)

    def _run(self, function: Callable[[Connection], T], write: bool, again_on_conflict: bool) -> T:
        joined: Connection | None = getattr(self._joined, "connection", None)
        if joined is not None:
            return function(joined)
        attempt = 0
        while True:
            attempt += 1
            try:
                with self.engine.connect() as connection:
                    if self._options and not write:
                        connection = connection.execution_options(fleetd_write=False)  # noqa: PLW2901
                    with connection.begin():
                        found = function(connection)
                        if write:
                            self._before_commit(connection)
                        return found
            except exc.IntegrityError:
                if not again_on_conflict or attempt >= ATTEMPTS:
                    raise
            except exc.DBAPIError as error:
                if attempt >= ATTEMPTS or not _passes(error):
                    self.failed += 1
                    raise translated(error) from error
            except exc.TimeoutError as error:
                self.failed += 1
                raise Busy("all database connections are in use") from error
            self.retried += 1
            self._sleep(min(0.005 * 2**attempt, 0.5) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter


def translated(error: exc.DBAPIError) -> Exception:
    """The error that callers know: the database is gone, busy or full, or no database; else the same."""
    line = " ".join(str(error.orig).split())[:300]
    if isinstance(error, exc.OperationalError | exc.InterfaceError):
        return Busy(f"the database does not answer: {line}")
    if isinstance(error.orig, sqlite3.DatabaseError) and type(error.orig) is sqlite3.DatabaseError:
        return InvalidInput(f"the SQLite file can't be used: {line}")
    return error


def _passes(error: exc.DBAPIError) -> bool:
    """Whether running the transaction again may help."""
    original = error.orig
    if isinstance(original, sqlite3.OperationalError):
        return getattr(original, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
    return getattr(original, "sqlstate", None) in _RETRIED_STATES
