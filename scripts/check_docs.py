# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that files which are derived from others are current (`--write` makes them so), and that all say one version.

docs/schema/device.schema.json is the JSON schema of the device document. What follows from the power drivers is in
drivers.py, what follows from the Redfish topics in topics.py. paths.py finds paths in the documentation that are not
there.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "plugins" / "module_utils"))

import drivers  # noqa: E402 - needs the path above
import paths  # noqa: E402
import topics  # noqa: E402
from fleetcore.document import schema  # noqa: E402


def derived() -> dict[Path, str]:
    """Path and content of every derived file."""
    content = json.dumps(schema.json_schema(), indent=2, sort_keys=True) + "\n"
    return {ROOT / "docs" / "schema" / "device.schema.json": content, **drivers.derived(), **topics.derived()}


VERSIONS = {
    "galaxy.yml": r"^version: (\S+)$",
    "src/fleetd/__init__.py": r'^__version__ = "(.+)"$',
    "plugins/module_utils/fleetcore/__init__.py": r'^__version__ = "(.+)"$',
}
"""Where the version of collection, service and shared package stands."""


def versions() -> dict[str, str]:
    """The version by the file that says it."""
    return {
        name: re.findall(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)[0]
        for name, pattern in VERSIONS.items()
    }


def main() -> int:
    stale = [path for path, text in derived().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if "--write" in sys.argv[1:]:
        for path in stale:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(derived()[path], encoding="utf-8")
        return 0
    for path in stale:
        sys.stderr.write(
            f"{path.relative_to(ROOT)} is not current: run .venv/bin/python scripts/check_docs.py --write\n"
        )
    said = versions()
    differ = len(set(said.values())) > 1
    if differ:
        sys.stderr.write(f"one version for all: {', '.join(f'{name}: {version}' for name, version in said.items())}\n")
    wrong = paths.problems(ROOT)
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if stale or differ or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
