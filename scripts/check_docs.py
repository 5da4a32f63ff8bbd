# SPDX-License-Identifier: GPL-3.0-or-later
"""Published documents that are derived from code are current (`--write` makes them so), and all say one version.

docs/schema/device.schema.json is the JSON schema of the device document. What follows from the power drivers is in
drivers.py.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "plugins" / "module_utils"))

import drivers  # noqa: E402 - needs the path above
from fleetcore.document import model  # noqa: E402


def derived() -> dict[Path, str]:
    """Path and content of every derived document."""
    schema = json.dumps(model.json_schema(), indent=2, sort_keys=True) + "\n"
    return {ROOT / "docs" / "schema" / "device.schema.json": schema, **drivers.derived()}


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
    return 1 if stale or differ else 0


if __name__ == "__main__":
    sys.exit(main())
