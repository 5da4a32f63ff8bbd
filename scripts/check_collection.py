# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An installed collection is whole: documentation of every plugin reads, its modules run, nothing stray is in it.

    scripts/check_collection.py DIR     where `scripts/collection.py install DIR` has put it

Runs the programs of the environment that it is started from, with DIR as the only place for collections.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

COLLECTION = "baremetal.fleet"
# What may stand at the top of the tarball; anything else is a gap in galaxy.yml's build_ignore.
EXPECTED = {
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "COPYING",
    "FILES.json",
    "LICENSES",
    "MANIFEST.json",
    "README.md",
    "changelogs",
    "docs",
    "extensions",
    "inventory",
    "meta",
    "playbooks",
    "plugins",
    "roles",
    "tests",
}


class Check:
    """Programs run against one installed copy."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.root = home / "ansible_collections" / "baremetal" / "fleet"
        self.problems: list[str] = []

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(self.home),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        }
        program = str(Path(sys.executable).parent / command[0])
        return subprocess.run(
            [program, *command[1:]],
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def contents(self) -> None:
        stray = sorted(path.name for path in self.root.iterdir() if path.name not in EXPECTED)
        if stray:
            self.problems.append(f"should not be in the tarball: {', '.join(stray)} (see build_ignore of galaxy.yml)")

    def documentation(self) -> int:
        """Check that ansible-doc prints documentation of every plugin on disk; returns their number."""
        number = 0
        for kind, folder in (("module", "modules"), ("inventory", "inventory"), ("filter", "filter")):
            names = [
                f"{COLLECTION}.{path.stem}"
                for path in sorted((self.root / "plugins" / folder).glob("*.py"))
                if path.stem != "__init__"
            ]
            number += len(names)
            done = self.run("ansible-doc", "-t", kind, *names)
            if done.returncode or "ERROR" in done.stderr:
                self.problems.append(f"ansible-doc -t {kind}: {(done.stderr or done.stdout).strip()[:500]}")
            parts = re.split(rf"^> \w+ ({re.escape(COLLECTION)}\.\w+)", done.stdout, flags=re.MULTILINE)
            pages = dict(zip(parts[1::2], parts[2::2], strict=True))
            for name in names:
                text = pages.get(name, "")
                if "OPTIONS" not in text:
                    self.problems.append(f"ansible-doc -t {kind} {name}: no options: {text.strip()[:500]}")
                elif kind == "module" and ("EXAMPLES" not in text or "RETURN VALUES" not in text):
                    self.problems.append(f"ansible-doc -t {kind} {name}: no examples or no return values")
        return number

    def modules_run(self) -> int:
        """Each module runs from its shipped payload: without arguments it names a missing option, or works."""
        names = [
            path.stem for path in sorted((self.root / "plugins" / "modules").glob("*.py")) if path.stem != "__init__"
        ]
        with tempfile.TemporaryDirectory() as scratch:
            results = Path(scratch) / "results.json"
            collected = "{{ {" + ", ".join(f"'{name}': {name}" for name in names) + "} | to_json }}"
            tasks: list[dict[str, object]] = [
                {f"{COLLECTION}.{name}": {}, "register": name, "ignore_errors": True} for name in names
            ]
            tasks.append({"ansible.builtin.copy": {"content": collected, "dest": str(results), "mode": "0600"}})
            play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}
            play["vars"] = {"ansible_python_interpreter": sys.executable}
            playbook = Path(scratch) / "play.json"
            playbook.write_text(json.dumps([play]), encoding="utf-8")
            done = self.run("ansible-playbook", "-i", "localhost,", str(playbook), cwd=Path(scratch))
            if not results.exists():
                self.problems.append(f"ansible-playbook failed:\n{done.stdout}{done.stderr}")
                return 0
            told = json.loads(results.read_text(encoding="utf-8"))
        for name in names:
            result = told[name]
            speechless = result.get("failed") and not result.get("msg")
            if "Traceback" in str(result.get("exception", "")) or "module_stderr" in result or speechless:
                self.problems.append(f"{name} crashed: {json.dumps(result, indent=2)}")
        return len(names)


def main(home: Path) -> int:
    check = Check(home.resolve())
    check.contents()
    documented = check.documentation()
    ran = check.modules_run()
    sys.stdout.write(f"{documented} plugins documented, {ran} modules run from {check.root}\n")
    sys.stderr.write("".join(f"{problem}\n" for problem in check.problems))
    return 1 if check.problems else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
