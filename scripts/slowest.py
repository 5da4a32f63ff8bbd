# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List the slowest tests of the last run, with their sessions and seconds.

    scripts/slowest.py build/results [20]

Reads the JUnit reports there. The time of a test has that of its fixtures in it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def slowest(folder: Path, number: int) -> list[tuple[float, str, str]]:
    """Return ``(seconds, session, test)`` of the slowest tests, the slowest first."""
    found = []
    for report in folder.glob("*.xml"):
        for case in ElementTree.parse(report).getroot().iter("testcase"):  # noqa: S314
            name = f"{case.get('classname')}::{case.get('name')}"
            found.append((float(case.get("time", 0)), report.stem.partition("-")[0], name))
    return sorted(found, reverse=True)[:number]


def main(folder: Path, number: int = 20) -> int:
    found = slowest(folder, number)
    for seconds, session, name in found:
        sys.stdout.write(f"{seconds:8.1f} s  {session:8}  {name}\n")
    if not found:
        sys.stderr.write(f"{folder} has no report: run the tests first\n")
    return int(not found)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
