# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every nox session that `nox` runs by default, a few at once, and show the output of each in one piece.

    scripts/run_sessions.py build/results

The longest begin first, so that none is left over at the end. Sessions that wait much leave their time to the others.
Writes DIR/<session>.log as each goes on, and DIR/nox.json with the results and the seconds that each took.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

NOX = str(Path(__file__).resolve().parent.parent / ".venv" / "bin" / "nox")
LONGEST_FIRST = ("service", "e2e", "sanity", "molecule", "units", "collection", "unit")
AT_ONCE = 3

_screen = threading.Lock()


def default_sessions() -> list[str]:
    """Names of the sessions that plain `nox` runs."""
    listed = subprocess.run([NOX, "--list", "--json"], check=True, capture_output=True, text=True)
    return [session["session"] for session in json.loads(listed.stdout)]


def run(name: str, folder: Path) -> dict[str, Any]:
    """Run one session, show its output when it has ended, and return what nox reports of it."""
    log, report = folder / f"{name}.log", folder / f"nox-{name}.json"
    say(f"{name} has begun (its output so far: {log})\n")
    began = time.monotonic()
    command = [NOX, "--non-interactive", "--report", str(report), "--session", name]
    with log.open("wb") as output:
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    seconds = round(time.monotonic() - began)
    say(f"\n===== {name}, {seconds} s =====\n{log.read_text(encoding='utf-8', errors='replace')}")
    # A nox that was killed leaves no report.
    found = json.loads(report.read_text(encoding="utf-8"))["sessions"] if report.exists() else []
    return {**(found[0] if found else {"name": name, "result": "failed"}), "seconds": seconds}


def say(text: str) -> None:
    """Print so that two sessions never mix."""
    with _screen:
        sys.stdout.write(text)
        sys.stdout.flush()


def longest_first(name: str) -> int:
    """Where a session stands in the order; those of seconds come last."""
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


def main(folder: Path) -> int:
    names = default_sessions()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {name: pool.submit(run, name, folder) for name in sorted(names, key=longest_first)}
    results = [running[name].result() for name in names]
    (folder / "nox.json").write_text(json.dumps({"sessions": results}, indent=1), encoding="utf-8")
    return int(any(result["result"] not in ("success", "skipped") for result in results))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
