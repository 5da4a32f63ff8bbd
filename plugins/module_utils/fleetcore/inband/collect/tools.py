# SPDX-License-Identifier: BSD-2-Clause

"""Tools that distributions have: which are missing, and how to install them.

Only on request; nothing here starts a service.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from ...errors import MissingDependency
from ...ports import Clock, CommandResult, CommandRunner
from .host import SEARCH_PATH

# Tool -> package, where all distributions agree.
TOOLS: Mapping[str, str] = {
    "dmidecode": "dmidecode",
    "lshw": "lshw",
    "lspci": "pciutils",
    "smartctl": "smartmontools",
    "nvme": "nvme-cli",
    "ethtool": "ethtool",
    "hdparm": "hdparm",
    "ipmitool": "ipmitool",
}
# Package manager -> commands before the packages' names; the first that fails is followed by REFRESH and tried again.
LOCKED = 120
"""Seconds to wait for another run of the package manager; ``dnf`` and ``yum`` wait by themselves, ``pacman`` can't."""
_APT = (
    *("env", "DEBIAN_FRONTEND=noninteractive", "APT_LISTCHANGES_FRONTEND=none"),
    "NEEDRESTART_SUSPEND=1",  # else Ubuntu restarts services
    *("apt-get", "-y", "-q", "-o", f"DPkg::Lock::Timeout={LOCKED}", "-o", "Dpkg::Options::=--force-confold"),
)
_ZYPPER = ("env", f"ZYPP_LOCK_TIMEOUT={LOCKED}", "zypper", "--non-interactive", "--quiet")
MANAGERS: Mapping[str, Sequence[str]] = {
    "apt-get": (*_APT, "--no-install-recommends", "--no-remove", "install"),
    "dnf": ("dnf", "-y", "-q", "--setopt=install_weak_deps=False", "install"),
    "yum": ("yum", "-y", "-q", "install"),
    "zypper": (*_ZYPPER, "install", "--no-recommends"),
    "apk": ("apk", "add", "--quiet", "--wait", str(LOCKED)),
    "pacman": ("pacman", "--sync", "--noconfirm", "--needed"),
}
"""Command lines that install without a question, and nothing else than the packages with what they need."""
REFRESH: Mapping[str, Sequence[str]] = {
    "apt-get": (*_APT, "update"),
    "zypper": (*_ZYPPER, "refresh"),
    "apk": ("apk", "update", "--quiet", "--wait", str(LOCKED)),
}
"""``dnf`` and ``yum`` renew theirs themselves.

A fresh catalogue for ``pacman`` would make the next installation half an upgrade.
"""
SECONDS = 900.0
"""For all of it."""


def missing(path: str = SEARCH_PATH) -> list[str]:
    """Packages of tools that are not installed, sorted."""
    return sorted({package for tool, package in TOOLS.items() if shutil.which(tool, path=path) is None})


def manager(path: str = SEARCH_PATH) -> str:
    """The package manager of this machine.

    :raises MissingDependency: none that is known.
    """
    for name in MANAGERS:
        if shutil.which(name, path=path) is not None:
            return name
    raise MissingDependency(
        "install_tools: none of " + ", ".join(MANAGERS) + " is on this machine; install the tools yourself"
    )


def install(
    runner: CommandRunner, clock: Clock, packages: Sequence[str], name: str, path: str = SEARCH_PATH
) -> dict[str, str]:
    """Install packages with the package manager ``name``; those whose tools are still missing then, with its last
    words.

    All at once, again with a fresh catalogue, then one by one: a package that the distribution does not have must not
    cost the others. What counts is that the tool is there: some managers end with other codes than 0 when all went
    well.
    """
    end = clock.monotonic() + SECONDS
    left = dict.fromkeys(packages, "")

    def run(*argv: str) -> CommandResult:
        return runner.run(argv, max(1.0, end - clock.monotonic()))

    def attempt(*group: str) -> None:
        said = _last_words(run(*MANAGERS[name], *group))
        there = frozenset(group).difference(missing(path))
        left.update(dict.fromkeys(group, said))
        for package in there:
            del left[package]

    attempt(*packages)
    if left and name in REFRESH and clock.monotonic() < end:
        run(*REFRESH[name])
        attempt(*left)
    for package in tuple(left) if len(packages) > 1 else ():
        if clock.monotonic() < end:
            attempt(package)
    return left


def _last_words(result: CommandResult) -> str:
    said = (result.stderr.strip() or result.stdout.strip()).splitlines()
    words = said[-1].strip()[:200] if said else f"ended with {result.rc}"
    return words if result.rc is not None else f"stopped for taking too long ({words})"
