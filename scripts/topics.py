# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Derive the registry of Redfish topics from the device document and the files in redfish/topics/.

It names every topic that has the name of a field of the document, since Ansible ships to a machine only what is
imported by name.
"""

from __future__ import annotations

from pathlib import Path

from fleetcore.document import sections

ROOT = Path(__file__).resolve().parent.parent
TOPICS = ROOT / "plugins" / "module_utils" / "fleetcore" / "redfish" / "topics"


def derived() -> dict[Path, str]:
    """Path and content of the registry."""
    names = [name for name in sections.KINDS if (TOPICS / f"{name}.py").exists()]
    return {TOPICS / "registry.py": _registry(names)}


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
