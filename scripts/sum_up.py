# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sum up a run of the nox sessions: one line per session, then `N passed, N failed, N skipped` over all pytest runs.

    scripts/sum_up.py build/results

Reads nox.json and the JUnit reports beside it, writes summary.txt. A session that failed without a failed test (a
linter, a forbidden skip, a crash) counts as one failure, so that the last line never looks green when the run is red.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree


def counts(report: Path) -> dict[str, int]:
    """Number of tests by outcome in one JUnit report."""
    found = {"passed": 0, "failed": 0, "skipped": 0}
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):  # noqa: S314
        number = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
        failed = number["failures"] + number["errors"]
        found["failed"] += failed
        found["skipped"] += number["skipped"]
        found["passed"] += number["tests"] - failed - number["skipped"]
    return found


def main(folder: Path) -> int:
    total = {"passed": 0, "failed": 0, "skipped": 0}
    by_session: dict[str, dict[str, int]] = {}
    for report in sorted(folder.glob("*.xml")):
        session = by_session.setdefault(report.name.partition("-")[0].removesuffix(".xml"), dict.fromkeys(total, 0))
        for outcome, number in counts(report).items():
            session[outcome] += number
            total[outcome] += number

    lines = []
    red = False
    nox_report = folder / "nox.json"
    sessions = json.loads(nox_report.read_text(encoding="utf-8"))["sessions"] if nox_report.exists() else []
    for session in sessions:
        name, result = session["name"], session["result"]
        tests = by_session.get(name)
        if result not in ("success", "skipped"):
            red = True
            if not (tests and tests["failed"]):
                total["failed"] += 1
        told = ", ".join(f"{number} {outcome}" for outcome, number in tests.items() if number) if tests else ""
        took = f"{session['seconds'] // 60:2}:{session['seconds'] % 60:02}" if "seconds" in session else ""
        lines.append(f"  {result:8} {name:14} {took:5} {told}".rstrip())
    if not sessions:
        red = True
        total["failed"] += 1
        lines.append("  no session ran")
    last = f"{total['passed']} passed, {total['failed']} failed"
    if total["skipped"]:
        last += f", {total['skipped']} skipped"
    text = "\n".join([*lines, last]) + "\n"
    (folder / "summary.txt").write_text(text, encoding="utf-8")
    sys.stdout.write(text)
    return 1 if red or total["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
