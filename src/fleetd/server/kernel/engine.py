# SPDX-License-Identifier: BSD-2-Clause
"""Connections, transactions and their retries.

A write first locks the row that it is about, then decides by what it reads: two servers on one database never work from
the same previous value. What decides is a function that may be called more than once and has no side effects but what
it writes in the transaction; what it raises ends the transaction with nothing written and reaches the caller.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from fleetcore.errors import Busy, InvalidInput, MissingDependency
from sqlalchemy import Connection, Engine, create_engine, event, exc, func, select, type_coerce
from sqlalchemy.engine import make_url

from fleetd.server.kernel.tables import UtcDateTime

T = TypeVar("T")
Clock = Callable[[], datetime]  # aware, UTC

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


@dataclass
class _Open:
    """The transaction of a thread that is open now."""

    connection: Connection
    writes: bool
    told: list[object] = field(default_factory=list)
    afterwards: list[Callable[[], None]] = field(default_factory=list)


class Transactions:
    """Runs functions in transactions of one database.

    A function that asks for a transaction while one is open in its thread joins that one. So a service can call several
    stores in one transaction (:meth:`together`), and what is called from within a transaction is part of it.

    ``retried`` and ``failed`` count transactions that were run again and that failed for good; about, because threads
    may lose one.

    :param clock: in the place of the database's, for tests.
    """

    def __init__(
        self,
        engine: Engine,
        sleep: Callable[[float], None] = time.sleep,
        clock: Clock | None = None,
    ) -> None:
        self.engine = engine
        self.retried = 0
        self.failed = 0
        #: Called in the transaction with each thing that is told in it. ``app.py`` and the capabilities fill it.
        self.listeners: list[Callable[[object], None]] = []
        #: The last steps of each transaction that writes; they are given all that was told in it.
        self.before_commit: list[Callable[[Connection, Sequence[object]], None]] = []
        self._sleep = sleep
        self._clock = clock
        self._sqlite = engine.dialect.name == "sqlite"
        self._threads = threading.local()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def now(self, connection: Connection) -> datetime:
        """The database's time of now, not of the transaction's start."""
        if self._clock is not None:
            return self._clock()
        now = func.strftime("%Y-%m-%d %H:%M:%f000", "now") if self._sqlite else func.clock_timestamp()
        found: datetime = connection.execute(select(type_coerce(now, UtcDateTime))).scalar_one()
        return found

    def read(self, function: Callable[[Connection], T]) -> T:
        """What ``function`` returns; it must not write."""
        return self._run(function, writes=False, again_on_conflict=False)

    def write(self, function: Callable[[Connection], T], again_on_conflict: bool = False) -> T:
        """What ``function`` returns once its writes are committed. It may run more than once.

        :param again_on_conflict: a violated constraint means that somebody was faster: look again.
        :raises Busy: the database is gone, or it stayed busy through all attempts.
        :raises sqlalchemy.exc.IntegrityError: a constraint is violated.
        """
        return self._run(function, writes=True, again_on_conflict=again_on_conflict)

    def together(self, function: Callable[[], T]) -> T:
        """What ``function`` returns; all that it reads and writes by this object, in this thread, is one transaction.

        It may run more than once. :raises: as :meth:`write`; a violated constraint makes it look again.
        """
        return self._run(lambda _connection: function(), writes=True, again_on_conflict=True)

    def tell(self, happenings: Iterable[object]) -> None:
        """Let the listeners know what happens in the open transaction; what they write is part of it."""
        transaction = self._current()
        for happening in happenings:
            transaction.told.append(happening)
            for listener in self.listeners:
                listener(happening)

    def afterwards(self, function: Callable[[], None]) -> None:
        """Call ``function`` when the open transaction is committed, and not at all if it fails."""
        self._current().afterwards.append(function)

    def _current(self) -> _Open:
        transaction: _Open = self._threads.open
        return transaction

    def _run(self, function: Callable[[Connection], T], writes: bool, again_on_conflict: bool) -> T:
        joined: _Open | None = getattr(self._threads, "open", None)
        if joined is not None:
            if writes and not joined.writes:
                raise RuntimeError("a transaction that reads can't write")
            return function(joined.connection)
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._once(function, writes)
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

    def _once(self, function: Callable[[Connection], T], writes: bool) -> T:
        with self.engine.connect() as connection:
            if self._sqlite and not writes:
                connection = connection.execution_options(fleetd_write=False)  # noqa: PLW2901
            transaction = self._threads.open = _Open(connection, writes)
            try:
                with connection.begin():
                    found = function(connection)
                    if writes:
                        for step in self.before_commit:
                            step(connection, transaction.told)
            finally:
                self._threads.open = None
        for step_after in transaction.afterwards:
            step_after()
        return found


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
