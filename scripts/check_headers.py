# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Check that every source file says the right licence, in the one form of that licence; ``--write`` mends the form.

GPL-3.0-or-later for what Ansible loads and for tests; BSD-2-Clause for the shared package and the service; scripts may
carry either. Module utilities whose name begins with an underscore say that they are private to the collection.
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
# Formats whose comments begin with another sign: they say the licence in their own form.
OTHER_COMMENTS = {".j2", ".mako"}
# Formats where a header would be noise or is not allowed.
EXEMPT = ("changelogs/fragments/", "changelogs/changelog.yaml", "meta/runtime.yml", "galaxy.yml")
# ansible-test wants the line of the GNU licence in what Ansible loads.
FORMS = {
    "GPL-3.0-or-later": (
        "# Copyright: (c) 2026, The baremetal.fleet authors\n"
        "# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)\n"
        "# SPDX-License-Identifier: GPL-3.0-or-later\n"
    ),
    "BSD-2-Clause": "# SPDX-License-Identifier: BSD-2-Clause\n",
}
HEADER = re.compile(
    r"(?:^# (?:Copyright: |GNU General Public License|BSD 2-Clause License).*\n)*^# SPDX-License-Identifier: \S+\n",
    re.M,
)
PRIVATE = "Private to this collection."


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


def problem(name: str, text: str) -> str | None:
    """What is wrong with a file's header."""
    licence = re.search(r"SPDX-License-Identifier: (\S+)", text)
    if licence is None:
        return f"no SPDX-License-Identifier, expected {expected(name)}"
    if licence[1] != expected(name) and not name.startswith(EITHER):
        return f"{licence[1]}, expected {expected(name)}"
    form = FORMS.get(licence[1])
    if form is None:
        return f"unknown licence {licence[1]}"
    if Path(name).suffix not in OTHER_COMMENTS:
        header = HEADER.search(text)
        if header is None or header[0] != form:
            return f"the header is not in the form of {licence[1]}; --write mends it"
    if name.startswith("plugins/module_utils/_") and PRIVATE not in " ".join(text.split()):
        return f"its docstring does not say: {PRIVATE}"
    return None


def main(write: bool) -> int:
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
        found = problem(name, text)
        if found is not None and write and "--write" in found:
            whole = path.read_text(encoding="utf-8")
            path.write_text(HEADER.sub(lambda header: FORMS[header[0].split()[-1]], whole, count=1), encoding="utf-8")
        elif found is not None:
            wrong.append(f"{name}: {found}")
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main("--write" in sys.argv[1:]))
