# SPDX-License-Identifier: GPL-3.0-or-later
"""Every source file says its licence, and the right one.

GPL-3.0-or-later for what Ansible loads and for tests; BSD-2-Clause for the shared package and the service; scripts may
carry either.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BSD = ("plugins/module_utils/fleetcore/", "src/")
EITHER = ("scripts/",)
SUFFIXES = {".py", ".yml", ".yaml", ".j2", ".sh", ".mako"}
# Formats where a header would be noise or is not allowed.
EXEMPT = ("changelogs/fragments/", "changelogs/changelog.yaml", "meta/runtime.yml", "galaxy.yml")


def expected(name: str) -> str:
    return "BSD-2-Clause" if name.startswith(BSD) else "GPL-3.0-or-later"


def files() -> list[str]:
    found = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if found.returncode == 0:
        return found.stdout.splitlines()
    hidden = (".venv", ".git", ".cache", "build", "dist")
    return [str(path.relative_to(ROOT)) for path in ROOT.rglob("*") if path.relative_to(ROOT).parts[0] not in hidden]


def main() -> int:
    wrong = []
    for name in files():
        path = ROOT / name
        if not path.is_file() or name.startswith(EXEMPT):
            continue
        text = path.read_bytes()[:2000].decode("utf-8", "replace")
        if path.suffix not in SUFFIXES and not (text.startswith("#!") and not path.suffix):
            continue
        if not text.strip():
            continue  # an empty __init__.py
        licence = re.search(r"SPDX-License-Identifier: (\S+)", text)
        if name.startswith(EITHER) and licence is not None:
            continue
        if licence is None or licence[1] != expected(name):
            wrong.append(
                f"{name}: {'no SPDX-License-Identifier' if licence is None else licence[1]}, expected {expected(name)}"
            )
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
