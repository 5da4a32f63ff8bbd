# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Tools that distributions have: which are missing, and how to install them. Only on request; nothing here starts a service."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence

from ..errors import FleetError, MissingDependency
from ..ports import CommandRunner
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
MANAGERS: Mapping[str, Sequence[str]] = {
    "apt-get": ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q", "--no-install-recommends", "install"),
    "dnf": ("dnf", "-y", "-q", "install"),
    "yum": ("yum", "-y", "-q", "install"),
    "zypper": ("zypper", "--non-interactive", "--quiet", "install"),
    "apk": ("apk", "add", "--quiet"),
    "pacman": ("pacman", "--sync", "--noconfirm", "--needed"),
}
REFRESH: Mapping[str, Sequence[str]] = {
    "apt-get": ("apt-get", "-q", "update"),
    "apk": ("apk", "update", "--quiet"),
    "pacman": ("pacman", "--sync", "--refresh"),
}
SECONDS = 600.0


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


def install(runner: CommandRunner, packages: Sequence[str], name: str) -> None:
    """Install packages with the package manager ``name``.

    :raises FleetError: it did not; the message has its words.
    """
    result = runner.run((*MANAGERS[name], *packages), SECONDS)
    if result.rc != 0 and name in REFRESH:
        runner.run(REFRESH[name], SECONDS)
        result = runner.run((*MANAGERS[name], *packages), SECONDS)
    if result.rc != 0:
        said = (result.stderr.strip() or result.stdout.strip()).splitlines()
        raise FleetError(
            f"install_tools: {name} could not install {' '.join(packages)}: {said[-1][:200] if said else 'it was stopped'}",
            packages=list(packages),
            rc=result.rc,
        )
