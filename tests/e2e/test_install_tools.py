# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`install_tools` with Debian's package manager and packages, in a Debian of its own: the guest's, without some tools.

The module runs there as Ansible runs it, in namespaces without a network; packages come from a repository of files.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import inband_guest
import pytest

REPOSITORY = Path(__file__).parents[2]
# The guest has them; they are taken away, and what the repository has can come back.
REMOVED = ("ethtool", "lshw", "nvme-cli", "smartmontools")
NOWHERE = ("hdparm", "ipmitool")
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]  # the guest is built once

INTERPRETER = """#!/bin/sh
# Ansible's way into the root: the module comes on the standard input.
exec unshare --mount --net --pid --fork --kill-child chroot {root} \\
    /bin/sh -c 'mount -t proc proc /proc; exec /usr/bin/python3 "$@"' sh "$@"
"""


def run(*argv: object, **options: Any) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        list(map(str, argv)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


class Debian:
    """A root with its package manager."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.root.mkdir()
        inband_guest.root(self.root)
        self.interpreter = folder / "python"
        self.interpreter.write_text(INTERPRETER.format(root=self.root))
        self.interpreter.chmod(0o755)
        collection = folder / "collections/ansible_collections/baremetal/fleet"
        collection.parent.mkdir(parents=True)
        collection.symlink_to(REPOSITORY)
        self.folder = folder
        policy = self.root / "usr/sbin/policy-rc.d"  # smartmontools would start its daemon
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        self.publish(REMOVED)
        self.chroot("dpkg", "--purge", *REMOVED, *NOWHERE)

    def chroot(self, *argv: str) -> str:
        return run("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "chroot", self.root, *argv).stdout

    def publish(self, names: tuple[str, ...]) -> None:
        """Make a repository of the packages that the root was made of; the package manager has not read it yet."""
        repo = self.root / "repo"
        repo.mkdir()
        entries = []
        for name in names:
            (deb,) = (self.root / "var/cache/apt/archives").glob(f"{name}_*.deb")
            deb = Path(shutil.move(deb, repo / deb.name.replace("%3a", "_")))
            facts = run("dpkg-deb", "-f", deb).stdout
            digest = hashlib.sha256(deb.read_bytes()).hexdigest()
            entries.append(f"{facts}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n")
        (repo / "Packages").write_text("\n".join(entries))
        (self.root / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/repo ./\n")

    def packages(self) -> set[str]:
        return set(self.chroot("dpkg-query", "--show", "--showformat", "${Package} ${Version}\\n").splitlines())

    def ask(self, *words: str) -> dict[str, Any]:
        """What `host_inventory` with `install_tools` answers."""
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_PIPELINING": "1",
        }
        done = run(
            *("ansible", "localhost", "-c", "local", "-e", f"ansible_python_interpreter={self.interpreter}"),
            *("-m", "baremetal.fleet.host_inventory", "-a", "install_tools=true", "--diff", *words),
            env=environment,
            cwd=self.folder,
        )
        diff, result = done.stdout.split("localhost | ", 1)
        found: dict[str, Any] = json.loads(result.split("=>", 1)[1])
        added = [line.strip('+ ,"') for line in diff.splitlines() if line.startswith("+ ")]
        return {**found, "added": [line for line in added if line.isidentifier() or "-" in line], "said": done.stderr}


@pytest.fixture(scope="module")
def debian(tmp_path_factory: pytest.TempPathFactory) -> Debian:
    usable, advice = inband_guest.available()
    if not usable:
        pytest.skip(advice)
    if os.geteuid() != 0:
        pytest.skip("needs root, for chroot and namespaces")
    return Debian(tmp_path_factory.mktemp("debian"))


def names(packages: set[str]) -> set[str]:
    return {item.split()[0] for item in packages}


def test_what_is_missing_is_installed_and_nothing_else(debian: Debian) -> None:
    before = debian.packages()
    assert not names(before) & {*REMOVED, *NOWHERE}
    wanted = sorted([*REMOVED, *NOWHERE])

    would = debian.ask("--check")
    assert (would["changed"], would["installed"], would["added"]) == (True, wanted, wanted)
    assert debian.packages() == before
    assert would["device"]["coverage"]["lshw"]["verdict"] == "absent"

    done = debian.ask()
    after = debian.packages()
    assert after >= before  # nothing was upgraded or removed
    assert names(after - before) == set(REMOVED)
    assert (done["changed"], done["installed"], done["added"]) == (True, list(REMOVED), list(REMOVED))
    # Two that the distribution does not have cost the others nothing.
    assert done["not_installed"] == {name: f"E: Unable to locate package {name}" for name in NOWHERE}
    assert "apt-get did not install hdparm (E: Unable to locate package hdparm), ipmitool (" in done["said"]
    # They were used at once.
    coverage = {name: item["verdict"] for name, item in done["device"]["coverage"].items()}
    assert (coverage["lshw"], coverage["ipmi"]) == ("collected", "absent"), done["device"]["coverage"]

    again = debian.ask()
    assert (again["changed"], again["installed"], again["added"]) == (False, [], [])
    assert set(again["not_installed"]) == set(NOWHERE)
    assert debian.packages() == after
