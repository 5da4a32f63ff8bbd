# SPDX-License-Identifier: BSD-2-Clause

"""Firmware by catalogue: the updates that a machine needs are sent one after the other, each followed to its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ..errors import Busy, FleetError, Unsupported
from ..option import Options, option
from ..ports import HttpResponse, Plan
from ..power.options import seconds
from ..redfish.service import Service
from ..redfish.tasks import Task
from ..redfish.values import at, integer, link, text
from . import reboot
from .base import Change, read_back
from .firmware_catalogue import Item, check_direction, is_shadow, items_of, of_another
from .firmware_images import Sender, check_image, check_way


def plan_redfish(service: Service, params: Mapping[str, Any]) -> Plan:
    """Plan for the updates that bring a machine to the catalogue. Images are checked before the first one is sent.

    :raises InvalidInput: an image is missing, is not a file, or is not the one that its checksum names.
    """
    system_path, system = service.system()
    update_path = link(service.root.get("UpdateService"))
    update = service.find(update_path)
    if update_path is None or update is None:
        raise Unsupported(f"{service.host}: the BMC has no update service")
    others = service.choice().others
    listed = service.members(link(update.get("FirmwareInventory"), update_path))
    inventory = [(path, body) for path, body in listed if not of_another(path, body, system_path, others)]
    vendor, model = text(system.get("Manufacturer")), text(system.get("Model"))
    found = items_of(params["catalogue"], vendor, model, inventory, params.get("components"))
    todo = [item for item in found if item.action != "none"]
    rows = [item.to_dict() for item in found]
    check_direction(service.host, todo, params["direction"], rows)
    for item in todo:
        check_image(service.host, item)
        check_way(service.host, update, params["method"], item)
    updater = _Updater(service, params, update)

    def apply() -> Mapping[str, Any]:
        try:
            for item in todo:
                updater.update(item)
        except FleetError as error:
            error.details.setdefault("updates", updater.done)
            raise
        return {"firmware": rows, "updates": updater.done}

    before = {item.component: item.installed for item in found}
    after = {item.component: item.installed if item.action == "none" else item.wanted for item in found}
    nothing = () if found else (f"the catalogue names no component of this {vendor or ''} {model or 'machine'}",)
    return Plan(before, after, lambda: {"firmware": rows, "updates": [], "warnings": nothing}, apply)


class _Updater:
    """Brings components to their versions, one after the other. ``done`` has a record of each that was begun."""

    def __init__(self, service: Service, params: Mapping[str, Any], update: Mapping[str, Any]) -> None:
        self._service = service
        self._clock = service.clock
        self._params = params
        self._inventory = link(update.get("FirmwareInventory"), link(service.root.get("UpdateService")) or "")
        self._sender = Sender(service, update, seconds(params, "upload_timeout"))
        self.done: list[dict[str, Any]] = []

    def update(self, item: Item) -> None:
        """Send the image, follow the task, reboot where that is needed and allowed, and read the version."""
        begin = self._clock.monotonic()
        record: dict[str, Any] = {
            "component": item.component,
            "from": item.installed,
            "to": item.wanted,
            "task": None,
            "progress": [],
            "rebooted": False,
            "verified": False,
        }
        self.done.append(record)
        limit = seconds(self._params, "task_timeout")
        task = Task(self._service, self._send_patiently(item, begin + limit, limit))
        record["task"] = task.path
        task.follow(f"the update of {item.component}", limit, begin + limit, lambda found: self._note(record, found))
        if not self._shows(item):
            if self._params["reboot"]:
                reboot.reboot(self._params, self._clock)
                record["rebooted"] = True
            read_back(
                self._clock,
                lambda: {item.component: self._version(item)},
                lambda found: item.shows(found[item.component]),
                "the firmware" if record["rebooted"] else "the firmware (it may need reboot: true)",
                timeout=seconds(self._params, "verify_timeout"),
            )
        record["verified"] = True
        record["seconds"] = round(self._clock.monotonic() - begin, 1)

    def _send_patiently(self, item: Item, end: float, limit: float) -> HttpResponse:
        """Send an image. A BMC that takes none while a job runs is asked again until the end."""
        while True:
            try:
                return self._sender.send(item)
            except Busy:
                if self._clock.monotonic() > end:
                    raise
                self._clock.sleep(min(30.0, limit / 20))

    def _note(self, record: dict[str, Any], found: Mapping[str, Any]) -> None:
        state, percent = text(found.get("TaskState")), integer(found.get("PercentComplete"))
        last = record["progress"][-1] if record["progress"] else {}
        if (last.get("state"), last.get("percent")) != (state, percent):
            record["progress"].append({"at": self._clock.now(), "state": state, "percent": percent})

    def _version(self, item: Item) -> Optional[str]:
        return text(at(self._service.find(item.path) or self._moved(item), "Version"))

    def _moved(self, item: Item) -> Optional[Mapping[str, Any]]:
        """Find the component at another path than before; of several that are alike, one with the wanted version."""
        found = [
            body
            for _path, body in self._service.members(self._inventory)
            if (body.get("Name"), body.get("SoftwareId")) == item.same and not is_shadow(body)
        ]
        return next((body for body in found if item.shows(text(body.get("Version")))), found[0] if found else None)

    def _shows(self, item: Item) -> bool:
        try:
            return item.shows(self._version(item))
        except FleetError:
            return False


OPTIONS: Options = {
    "catalogue": option(
        "list",
        """
            What is to be installed where. It is usually kept as a YAML file and read with C(vars_files).

            O(catalogue[].vendor), O(catalogue[].model) and O(catalogue[].component) may hold shell patterns. Case does
            not matter.
        """,
        elements="dict",
        required=True,
        options={
            "vendor": option("str", "Maker of the machine. Without it the entry is for all."),
            "model": option("str", "Model of the machine. Without it the entry is for all."),
            "component": option(
                "str", "Id, name or software id of the component in the firmware inventory.", required=True
            ),
            "version": option(
                "str",
                "Version as the inventory shows it once installed. A date behind it may be left out.",
                required=True,
            ),
            "image": option(
                "str",
                "URI from which the BMC pulls the image, or a file of the host that runs the module, which is pushed.",
            ),
            "sha256": option(
                "str", "SHA-256 checksum of a file, in hexadecimal. Another file is refused before anything is sent."
            ),
        },
    ),
    "components": option("list", "Only these components of the catalogue, as they are written there.", elements="str"),
    "direction": option(
        "str",
        """
            With V(upgrade) a version that would be a downgrade, or of which nobody can tell whether it is one, is
            refused before anything is changed.

            With V(any) the version of the catalogue is installed wherever another one is.
        """,
        choices=["upgrade", "any"],
        default="upgrade",
    ),
    "method": option(
        "str", "V(pull) insists on URIs and V(push) on files.", choices=["auto", "pull", "push"], default="auto"
    ),
    "reboot": option(
        "bool",
        "Whether to restart the machine when an update is over and the new version is not in effect yet.",
        default=False,
    ),
    "graceful_timeout": reboot.OPTIONS["graceful_timeout"],
    "upload_timeout": option("float", "Seconds for sending one image.", default=900),
    "task_timeout": option("float", "Seconds for one update.", default=3600),
    "verify_timeout": option(
        "float", "Seconds, after an update, until the inventory has to show the new version.", default=300
    ),
}

CHANGE = Change("firmware", OPTIONS, plan_redfish)
