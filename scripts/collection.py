# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as it ships: copy its files, build the tarball, install it.

    scripts/collection.py tree DIR      mirror the files into DIR/ansible_collections/baremetal/fleet, for ansible-test
    scripts/collection.py build DIR     write DIR/baremetal-fleet-VERSION.tar.gz and print its path
    scripts/collection.py install DIR   build, then install into DIR/ansible_collections, without network

What ships is what git knows (or every file, outside a git checkout) less ``build_ignore`` of galaxy.yml.
"""

from __future__ import annotations

import argparse
import fnmatch
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
# Left by tools inside the tree; only matters where no git says what belongs.
LITTER = ("__pycache__", "*.pyc", "*.egg-info", "tests/output")


def _git_files(*, untracked: bool) -> list[str] | None:
    """Paths that git knows, relative to the root; ``None`` outside a git checkout of this project."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached"]
    if untracked:
        command += ["--others", "--exclude-standard"]
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        return None
    # A checkout that belongs to another user is still this project.
    environment = {
        **os.environ,
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
    found = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    return sorted({name for name in found.stdout.split("\0") if name}) if found.returncode == 0 else None


def _all_files(ignore: list[str]) -> list[str]:
    names = []
    for folder, folders, files in os.walk(ROOT):
        base = Path(folder).relative_to(ROOT)
        folders[:] = [name for name in folders if not _ignored(str(base / name), ignore)]
        names += [str(base / name) for name in files]
    return sorted(names)


def _ignored(name: str, patterns: list[str]) -> bool:
    """Whether ansible-galaxy leaves the path out: a pattern matches it, one of its folders, or a bare name in it."""
    path = Path(name)
    wholes = [str(path), *(str(parent) for parent in path.parents if str(parent) != ".")]
    return any(
        fnmatch.fnmatch(whole, pattern) or fnmatch.fnmatch(Path(whole).name, pattern)
        for whole in wholes
        for pattern in patterns
    )


def shipped_files(*, untracked: bool = False) -> list[str]:
    """Relative paths of the files that belong to the collection."""
    ignore = [*yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["build_ignore"], *LITTER]
    names = _git_files(untracked=untracked)
    if names is None:
        names = _all_files(ignore)
    return [name for name in names if not _ignored(name, ignore) and (ROOT / name).is_file()]


def tree(target: Path, *, untracked: bool = True) -> Path:
    """Mirror the files to ``target/ansible_collections/baremetal/fleet``; ``tests/output`` and ``.git`` there stay."""
    home = target / "ansible_collections" / "baremetal" / "fleet"
    wanted = set(shipped_files(untracked=untracked))
    if home.exists():
        for old in sorted(path for path in home.rglob("*") if path.is_file() or path.is_symlink()):
            name = old.relative_to(home).as_posix()
            if name not in wanted and not name.startswith(("tests/output/", ".git/")):
                old.unlink()
    for name in sorted(wanted):
        destination = home / name
        destination.parent.mkdir(parents=True, exist_ok=True)
        if not destination.exists() or destination.read_bytes() != (ROOT / name).read_bytes():
            shutil.copy2(ROOT / name, destination)
        destination.chmod((ROOT / name).stat().st_mode & 0o777)
    return home


def build(target: Path) -> Path:
    """Build the tarball from a clean copy, so that nothing that merely lies around gets in."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        home = tree(Path(scratch), untracked=False)
        _galaxy("build", str(home), "--output-path", str(target.resolve()), "--force")
    meta = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    return target / f"{meta['namespace']}-{meta['name']}-{meta['version']}.tar.gz"


def install(target: Path) -> None:
    """Install into ``target``; does nothing when the files are those that were installed last."""
    digest = hashlib.sha256()
    for name in shipped_files():
        digest.update(f"{name}\0".encode() + (ROOT / name).read_bytes())
    stamp = target / ".baremetal-fleet"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == digest.hexdigest():
        return
    shutil.rmtree(target / "ansible_collections" / "baremetal" / "fleet", ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        tarball = build(Path(scratch))
        _galaxy("install", str(tarball), "--collections-path", str(target), "--offline", "--force")
    stamp.write_text(digest.hexdigest(), encoding="utf-8")


def _galaxy(*arguments: str) -> None:
    """Run ansible-galaxy of this environment; show what it said only when it fails."""
    command = [str(Path(sys.executable).parent / "ansible-galaxy"), "collection", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["tree", "build", "install"])
    parser.add_argument("dir", type=Path)
    arguments = parser.parse_args()
    if arguments.what == "install":
        install(arguments.dir)
    else:
        sys.stdout.write(f"{tree(arguments.dir) if arguments.what == 'tree' else build(arguments.dir)}\n")


if __name__ == "__main__":
    main()
