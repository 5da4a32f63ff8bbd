# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of ``host_inventory``, made of its options. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._boundary import Plan
from .fleetcore.document.model import to_dict
from .fleetcore.errors import InvalidInput
from .fleetcore.host.clock import SystemClock
from .fleetcore.inband.collect import tools
from .fleetcore.inband.collect.capture import Capture
from .fleetcore.inband.collect.collector import collect, replay
from .fleetcore.inband.collect.host import SystemFiles, SystemRunner
from .fleetcore.inband.collect.probe import Options

DEFAULT_CAPTURE = "/var/tmp/baremetal.fleet.capture.tar"  # noqa: S108  (written with mode 0600, and never followed)


def inventory_plan(params: Mapping[str, Any]) -> Plan:
    """Collect. The document is the same in check mode; tools are not installed and no capture is written then."""
    options = _options(params)
    if params["from_capture"]:
        if params["capture"] or params["install_tools"]:
            raise InvalidInput(
                "from_capture: a capture is neither captured again nor needs tools; leave out capture and "
                "install_tools",
                field="from_capture",
            )
        # What most runs don't need is read when it is needed: Python compiles a module's code anew for every run.
        from .fleetcore.inband.collect import archive  # noqa: PLC0415

        device = to_dict(replay(archive.load(params["from_capture"]), params["full"]))
        return Plan({}, {}, lambda: {"device": device}, dict)
    runner = SystemRunner()
    packages = tools.missing() if params["install_tools"] else []
    manager = tools.manager() if packages else ""

    def look() -> tuple[dict[str, Any], Capture]:
        device, found = collect(runner, SystemFiles(), SystemClock(), options)
        return to_dict(device), found

    def changes(names: Sequence[str]) -> dict[str, Any]:
        after: dict[str, Any] = {"packages": names} if names else {}
        return {**after, "capture": params["capture_path"]} if params["capture"] else after

    def preview() -> Mapping[str, Any]:
        return {"device": look()[0], "installed": packages}

    def apply() -> Mapping[str, Any]:
        left = tools.install(runner, SystemClock(), packages, manager) if packages else {}
        device, found = look()
        installed = [name for name in packages if name not in left]
        done = changes(installed)
        result = {
            "device": device,
            "installed": installed,
            "changed": bool(done),
            "diff": {"before": {}, "after": done},
        }
        if left:
            said = ", ".join(f"{name} ({why})" for name, why in left.items())
            result.update(not_installed=left, warnings=[f"install_tools: {manager} did not install {said}"])
        if params["capture"]:
            import hashlib  # noqa: PLC0415

            from .fleetcore.inband.collect import archive  # noqa: PLC0415

            path = params["capture_path"]
            content = archive.save(found, path)
            result["capture"] = {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        return result

    return Plan(before={}, after=changes(packages), preview=preview, apply=apply)


def _options(params: Mapping[str, Any]) -> Options:
    for name in ("timeout", "deadline"):
        if not 0 < float(params[name]) <= 86400:
            raise InvalidInput(f"{name}: {params[name]:g} is not between 0 and 86400 seconds", field=name)
    return Options(full=bool(params["full"]), **{name: params[name] for name in ("timeout", "deadline", "updates")})
