# SPDX-License-Identifier: BSD-2-Clause
"""The runner's journal, one SQLite file that is written before and after anything is done, and its brake."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from fleetcore.errors import ConflictError, InvalidInput

from fleetd.runner.ports import Entry, EntryState, JournalBroken

_SCHEMA = """
CREATE TABLE IF NOT EXISTS cycle (
  key TEXT PRIMARY KEY, machine TEXT NOT NULL, request TEXT, state TEXT NOT NULL, attempts INTEGER NOT NULL,
  run TEXT, changed_at REAL NOT NULL, not_before REAL NOT NULL, detail TEXT NOT NULL, token INTEGER);
CREATE TABLE IF NOT EXISTS work (
  run TEXT NOT NULL, machine TEXT NOT NULL, process TEXT NOT NULL, token INTEGER NOT NULL, PRIMARY KEY (run, machine));
CREATE TABLE IF NOT EXISTS session (id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS served (machine TEXT PRIMARY KEY);
"""
_VERSION = 2
_NAMES = [field.name for field in fields(Entry)]
_COLUMNS, _VALUES = ", ".join(_NAMES), ", ".join(f":{name}" for name in _NAMES)


class SqliteJournal:
    """Remembers, across SIGKILL and reboot, what was begun, done and acknowledged.

    It is locked while open: two runners on one state directory would cycle machines twice.

    Reading and writing raise ``JournalBroken`` when the disk is full or broken: then nothing was written.

    :raises ConflictError: another runner has it open, or a newer version wrote it. :raises InvalidInput: nothing can be
        written there. :raises JournalBroken: it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise InvalidInput(
                f"runner.state_dir: can't write {path}: {error.strerror}", field="runner.state_dir"
            ) from error
        self._db = sqlite3.connect(path, timeout=5, isolation_level=None)
        try:
            with self._safely():
                self._open()
        except BaseException:
            self._db.close()
            raise

    def _open(self) -> None:
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("BEGIN EXCLUSIVE")
        found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(found)
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise ConflictError(f"{self._path} was written by a newer version of fleetd", path=str(self._path))
        if version == 1:
            self._db.execute("ALTER TABLE cycle ADD COLUMN token INTEGER")
        for statement in _SCHEMA.split(";"):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version={_VERSION}")
        self._db.execute("COMMIT")

    def entries(self) -> list[Entry]:
        with self._safely():
            rows = self._db.execute(f"SELECT {_COLUMNS} FROM cycle ORDER BY changed_at, key").fetchall()  # noqa: S608 (a constant)
        found = [dict(zip(_NAMES, row, strict=True)) for row in rows]
        return [Entry(**{**e, "state": EntryState(e["state"]), "detail": json.loads(e["detail"])}) for e in found]

    def save(self, entries: Sequence[Entry]) -> None:
        """Insert or replace by key, all or none; on disk when it returns."""
        rows = [{**vars(e), "detail": json.dumps(dict(e.detail))} for e in entries]
        with self._transaction():
            self._db.executemany(f"INSERT OR REPLACE INTO cycle ({_COLUMNS}) VALUES ({_VALUES})", rows)  # noqa: S608

    def forget(self, keys: Sequence[str]) -> None:
        with self._transaction():
            self._db.executemany("DELETE FROM cycle WHERE key = ?", [(k,) for k in keys])

    def served(self) -> list[str]:
        """Machines that the server believes this runner serves."""
        with self._safely():
            return [m for (m,) in self._db.execute("SELECT machine FROM served ORDER BY machine")]

    def save_served(self, machines: Sequence[str]) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM served")
            self._db.executemany("INSERT INTO served (machine) VALUES (?)", [(m,) for m in machines])

    def session(self) -> str | None:
        """The session under which this runner's claims are; it lives on for a while when the runner dies."""
        with self._safely():
            row = self._db.execute("SELECT id FROM session").fetchone()
        return str(row[0]) if row else None

    def save_session(self, session: str | None) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM session")
            if session is not None:
                self._db.execute("INSERT INTO session (id) VALUES (?)", [session])

    def work(self, process: str) -> dict[str, dict[str, int]]:
        """Runs of a process that have not been settled: run -> machine -> fencing token."""
        found: dict[str, dict[str, int]] = {}
        with self._safely():
            rows = self._db.execute("SELECT run, machine, token FROM work WHERE process = ?", [process]).fetchall()
        for run, machine, token in rows:
            found.setdefault(run, {})[machine] = token
        return found

    def save_work(self, process: str, run: str, tokens: Mapping[str, int]) -> None:
        rows = [(run, machine, process, token) for machine, token in tokens.items()]
        with self._transaction():
            self._db.executemany("INSERT OR REPLACE INTO work (run, machine, process, token) VALUES (?,?,?,?)", rows)

    def forget_work(self, run: str) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM work WHERE run = ?", [run])

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._safely():
            self._db.execute("BEGIN IMMEDIATE")
            with self._db:  # commits, or rolls back on an exception
                yield

    @contextmanager
    def _safely(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            name = getattr(error, "sqlite_errorname", "")  # our own quick_check has none
            if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                raise ConflictError(
                    f"{self._path}: {error}; is another runner using this state directory?", path=str(self._path)
                ) from error
            if name.startswith(("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")):
                raise JournalBroken(
                    f"the journal {self._path} can't be written: {error}", path=str(self._path)
                ) from error
            raise JournalBroken(
                f"the journal {self._path} is damaged ({error}). Which power cycles were under way is not known: look "
                "whether the machines are on, then move the file away",
                path=str(self._path),
            ) from error


@dataclass
class FileBrake:
    """Remembers that the wave was stopped: a file that is there as long. Removing it takes the brake off."""

    path: Path

    def engaged(self) -> Mapping[str, Any] | None:
        """``{"at": seconds since the epoch, "machines": [...]}``, or None."""
        try:
            found = json.loads(self.path.read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError):
            found = None
        # Whatever stands there: somebody wants it stopped.
        return found if isinstance(found, dict) else {"at": self.path.stat().st_mtime}

    def engage(self, why: Mapping[str, Any]) -> None:
        temporary = self.path.with_suffix(".tmp")
        try:
            temporary.write_text(json.dumps(dict(why)) + "\n")
            temporary.replace(self.path)
        except OSError as error:
            raise JournalBroken(f"{self.path} can't be written: {error.strerror}", path=str(self.path)) from error

    def release(self) -> None:
        self.path.unlink(missing_ok=True)
