# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Derive from the device document and the files in redfish/topics/ what Ansible wants to read as text.

The registry names every topic that has the name of a field of the document, since Ansible ships to a machine only what
is imported by name. The documentation fragment lists the sections that the fields name.
"""

from __future__ import annotations

from pathlib import Path

from fleetcore.document import sections

ROOT = Path(__file__).resolve().parent.parent
TOPICS = ROOT / "plugins" / "module_utils" / "fleetcore" / "redfish" / "topics"


def derived() -> dict[Path, str]:
    """Path and content of every derived file."""
    return {
        TOPICS / "registry.py": _registry([name for name in sections.KINDS if (TOPICS / f"{name}.py").exists()]),
        ROOT / "plugins" / "doc_fragments" / "sections.py": _fragment(sections.SECTIONS),
    }


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
