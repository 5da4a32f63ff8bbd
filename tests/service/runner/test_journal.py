# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SQLite journal."""

from __future__ import annotations

import signal
import sqlite3
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fleetcore.errors import ConflictError, FleetError, InvalidInput

from fleetd.runner.adapters.journal import FileBrake, SqliteJournal
from fleetd.runner.ports import Entry, EntryState, JournalBroken

ENTRY = Entry("q1", "rack/1", "q1", EntryState.RUNNING, 1, "run-1", 5.0, 7.5, {"error": {"code": "x", "message": "ü"}})


def test_entries_come_back_as_they_were(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "state" / "j.sqlite")
    other = replace(ENTRY, key="b@1", request=None, run=None, state=EntryState.DONE, changed_at=1.0, detail={})
    journal.save([ENTRY, other])
    journal.save([replace(ENTRY, state=EntryState.VERIFIED)])
    journal.save_served(["b", "a"])
    journal.close()
    journal = SqliteJournal(tmp_path / "state" / "j.sqlite")
    assert journal.entries() == [other, replace(ENTRY, state=EntryState.VERIFIED)]
    assert journal.served() == ["a", "b"]
    journal.forget(["q1", "unknown"])
    assert journal.entries() == [other]


def test_one_runner_per_state_directory(tmp_path: Path) -> None:
    first = SqliteJournal(tmp_path / "j.sqlite")
    script = "from pathlib import Path; from fleetd.runner.adapters.journal import SqliteJournal; "
    script += f"SqliteJournal(Path({str(tmp_path / 'j.sqlite')!r}))"
    second = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "another runner" in second.stderr
    first.close()
    SqliteJournal(tmp_path / "j.sqlite").close()


def test_a_journal_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "j.sqlite") as db:
        db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(ConflictError, match="newer version"):
        SqliteJournal(tmp_path / "j.sqlite")


def test_only_its_user_can_read_it(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "j.sqlite").close()
    assert stat.S_IMODE((tmp_path / "j.sqlite").stat().st_mode) == 0o600


def test_what_was_saved_survives_sigkill(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from fleetd.runner.adapters.journal import SqliteJournal
from fleetd.runner.ports import Entry, JournalBroken, EntryState
journal = SqliteJournal(Path({str(tmp_path / "j.sqlite")!r}))
for state in EntryState:
    journal.save([Entry(state.value, "m", None, state)])
journal._db.execute("BEGIN")
journal._db.execute("DELETE FROM cycle")  # a transaction that never ends
os.kill(os.getpid(), signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert {e.state for e in SqliteJournal(tmp_path / "j.sqlite").entries()} == set(EntryState)


def test_a_journal_of_the_first_version_is_read_and_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    with sqlite3.connect(path) as old:
        old.execute(
            "CREATE TABLE cycle (key TEXT PRIMARY KEY, machine TEXT NOT NULL, request TEXT, state TEXT NOT NULL, "
            "attempts INTEGER NOT NULL, run TEXT, changed_at REAL NOT NULL, "
            "not_before REAL NOT NULL, detail TEXT NOT NULL)"
        )
        old.execute("INSERT INTO cycle VALUES ('q1', 'm1', 'q1', 'verified', 1, 'r', 1.0, 0.0, '{}')")
        old.execute("PRAGMA user_version=1")
    old.close()
    journal = SqliteJournal(path)
    (entry,) = journal.entries()
    assert (entry.key, entry.state, entry.token) == ("q1", EntryState.VERIFIED, None)
    journal.save([replace(entry, token=7)])
    journal.close()
    again = SqliteJournal(path)
    assert [e.token for e in again.entries()] == [7]
    again.close()


def test_session_and_claimed_work_survive(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "journal.sqlite")
    assert journal.session() is None
    journal.save_session("s1")
    journal.save_work("collect_oob", "run-1", {"a": 1, "b": 2})
    journal.save_work("audit", "run-2", {"a": 3})
    journal.close()
    again = SqliteJournal(tmp_path / "journal.sqlite")
    assert again.session() == "s1"
    assert again.work("collect_oob") == {"run-1": {"a": 1, "b": 2}}
    again.forget_work("run-1")
    again.save_session(None)
    assert (again.session(), again.work("collect_oob"), again.work("audit")) == (None, {}, {"run-2": {"a": 3}})
    again.close()


def test_a_full_disk_changes_nothing_and_is_no_end(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "j.sqlite")
    journal.save([ENTRY])
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count={pages}")  # from now on SQLite answers that the disk is full
    large = [replace(ENTRY, key=f"q{n}", detail={"error": {"message": "x" * 4000}}) for n in range(5)]
    for _ in range(2):
        with pytest.raises(JournalBroken, match=r"can't be written.*full"):
            journal.save(large)
    assert journal.entries() == [ENTRY], "all or none"
    journal._db.execute("PRAGMA max_page_count=1000000")
    journal.save(large)
    assert len(journal.entries()) == 5
    journal.close()


@pytest.mark.parametrize("damage", ["not a database", "a page in the middle"])
def test_a_damaged_journal_is_refused_and_left_for_a_person(tmp_path: Path, damage: str) -> None:
    """Without it nobody knows what was under way: beginning anew could cycle a machine twice, or leave one off."""
    path = tmp_path / "j.sqlite"
    if damage == "not a database":
        path.write_bytes(b"\0garbage" * 1000)
    else:
        journal = SqliteJournal(path)
        journal.save([replace(ENTRY, key=f"q{n}") for n in range(200)])
        journal.close()
        content = bytearray(path.read_bytes())
        content[8192:12288] = b"\xff" * 4096
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(JournalBroken, match="look whether the machines are on, then move the file away"):
        SqliteJournal(path)
    assert path.read_bytes() == before


def test_a_place_where_nothing_can_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"runner\.state_dir: can't write .*file/state"):
        SqliteJournal(tmp_path / "file" / "state" / "j.sqlite")


def test_a_brake_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="can't be written"):
        FileBrake(tmp_path / "nowhere" / "stopped.json").engage({"at": 1.0})
