# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find paths in the documentation that don't exist. `check_docs.py` calls it.

A path is text in backquotes that has a slash or ends like a file. It exists if a file or folder of the repository is
named so or ends so: `server/app.py` is enough. `<name>` stands for any name. One that is still to be made has
`(to come)` behind it, which is an error once it is there.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

WHOLE = ("CONTRIBUTING.md", "docs/architecture.md")
"""Pages all of whose paths are looked at. On other pages only those that begin with a folder of ours are."""

FOLDERS = ("benchmarks/", "docs/", "extensions/", "fleetcore/", "playbooks/", "plugins/", "roles/", "scripts/", "src/")
MADE = (".cache", ".git", ".mypy_cache", ".nox", ".pytest_cache", ".ruff_cache", ".venv", "build", "dist")
"""Folders that commands make: what is in them is not looked at, and may be named."""

SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)(\s+\(to come\))?")
LINK = re.compile(r"\]\(([^)\s]+)\)")
ENDS = re.compile(r"\.(cfg|html|json|md|py|sh|toml|txt|yaml|yml)$")
NO_FILE = re.compile(r"\s|[$~{(=:]|^[/.-]|^ansible_collections/")


def problems(root: Path) -> list[str]:
    """One line for each path that does not exist, or exists already."""
    there = list(_there(root))
    pages = [page for page in there if page.endswith(".md")]
    return [f"{page}: {found}" for page in pages for found in _wrong(root, page, there)]


def _there(root: Path) -> Iterator[str]:
    """Files and folders of the repository, from its top."""
    for path in sorted(root.iterdir()):
        if path.name in MADE:
            continue
        yield path.name
        if path.is_dir():
            yield from (str(inner.relative_to(root)) for inner in path.rglob("*") if "__pycache__" not in inner.parts)


def _wrong(root: Path, page: str, there: list[str]) -> Iterator[str]:
    text = re.sub(r"^( *)```.*?^\1```", "", (root / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for name, later in SPAN.findall(text):
        if not _is_path(name, page):
            continue
        exists = _exists(name, there)
        if later and exists:
            yield f"{name} is there: it is not to come any more"
        elif not later and not exists:
            yield f"there is no {name}"
    for link in LINK.findall(text):
        target = link.partition("#")[0]
        if target and "://" not in link and not (root / page).parent.joinpath(target).exists():
            yield f"there is no {link}"


def _is_path(name: str, page: str) -> bool:
    if NO_FILE.search(name) or name.split("/", maxsplit=1)[0] in MADE:
        return False
    if page not in WHOLE:
        return name.startswith(FOLDERS)
    return "/" in name or bool(ENDS.search(name))


def _exists(name: str, there: list[str]) -> bool:
    pattern = "*/" + re.sub(r"<[^>]*>", "*", name.rstrip("/")).replace("...", "*")
    return any(fnmatch.fnmatchcase(f"/{path}", pattern) for path in there)
