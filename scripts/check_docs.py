# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that files which are derived from others are current (`--write` makes them so), and that all say one version.

docs/schema/device.schema.json is the JSON schema of the device document. The registry of Redfish topics names every
file in topics/ that has the name of a field of the document: Ansible ships to a machine only what is imported by name.
The documentation fragment lists the sections that the fields name.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "plugins" / "module_utils"))

from fleetcore.document import schema, sections  # noqa: E402 - needs the path above


def derived() -> dict[Path, str]:
    """Path and content of every derived file."""
    content = json.dumps(schema.json_schema(), indent=2, sort_keys=True) + "\n"
    return {
        ROOT / "docs" / "schema" / "device.schema.json": content,
        TOPICS / "registry.py": _registry([name for name in sections.KINDS if (TOPICS / f"{name}.py").exists()]),
        ROOT / "plugins" / "doc_fragments" / "sections.py": _fragment(sections.SECTIONS),
    }


TOPICS = ROOT / "plugins" / "module_utils" / "fleetcore" / "redfish" / "topics"


def _registry(names: list[str]) -> str:
    """The registry of topics, in the order of the document."""
    head = (TOPICS / "__init__.py").read_text(encoding="utf-8").partition('"""')[0]
    imports = "".join(f"    {name},\n" for name in sorted(names))
    topics = "".join(f"    {name}.TOPIC,\n" for name in names)
    return f'''{head}"""Name the topics in the order of the document. Written by scripts/check_docs.py --write."""

from __future__ import annotations

from . import (
{imports})

TOPICS = (
{topics})
'''


def _fragment(names: tuple[str, ...]) -> str:
    """The documentation fragment of the option `sections`."""
    choices = "".join(f"      - {name}\n" for name in names)
    return f'''# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which sections of a BMC are read. Written by scripts/check_docs.py --write."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  sections:
    description:
      - Sections to read. Default is all.
      - V(system) and V(power) are always read. V([power]) alone is a cheap check that the BMC answers and the login
        works.
    type: list
    elements: str
    choices:
{choices}"""
'''


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
