# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Firmware by catalogue: what is installed, what the catalogue wants, the updates that differ, each followed to its end."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Callable, Optional

from ..errors import Busy, FleetError, InvalidInput, NotFound, NotVerified, TransientError, Unsupported
from ..ports import HttpResponse
from ..power.options import bmc_options
from ..power.redfish import open_service
from ..redfish.actions import action_of, action_target, allowable
from ..redfish.answers import body_of
from ..redfish.quirks import AVAILABLE_PREFIXES, DUPLICATE_PREFIXES, PREVIOUS_PREFIXES
from ..redfish.service import Service
from ..redfish.values import at, integer, items, link, links, text
from .base import Change, read_back, seconds
from .reboot import reboot
from .versions import compare

METHODS = ("auto", "pull", "push")
DIRECTIONS = ("upgrade", "any")
_SAME, _NEWER = 0, 1
_RUNNING = ("New", "Starting", "Running", "Pending", "Service", "Stopping", "Interrupted", "Suspended", "Cancelling")
_BAD = ("Exception", "Killed", "Cancelled")


@dataclass(frozen=True)
class Item:
    """One component whose version the catalogue names.

    :ivar same: by what it is known again where its path has the version in it (Dell).
    """

    path: str
    component: str
    installed: Optional[str]
    wanted: str
    image: Optional[str] = None
    sha256: Optional[str] = None
    updateable: bool = True
    same: tuple[Any, ...] = ()

    @property
    def action(self) -> str:
        """``none``, ``upgrade``, ``downgrade``, or ``replace`` when nobody can tell which version is the newer one."""
        order = compare(self.wanted, self.installed)
        return (
            "replace" if order is None else "none" if order == _SAME else "upgrade" if order == _NEWER else "downgrade"
        )

    def shows(self, version: Optional[str]) -> bool:
        """Is this the version that is wanted? A date that only one of them has does not count."""
        return compare(self.wanted, version) == _SAME

    def to_dict(self) -> dict[str, Any]:
        return {"component": self.component, "installed": self.installed, "wanted": self.wanted, "action": self.action}


_PULL = "UpdateService.SimpleUpdate"


# -- plan: pure --------------------------------------------------------------------------------------------------------------


def plan(
    catalogue: Sequence[Mapping[str, Any]],
    vendor: Optional[str],
    model: Optional[str],
    inventory: Sequence[tuple[str, Mapping[str, Any]]],
    components: Optional[Sequence[str]] = None,
) -> list[Item]:
    """What the catalogue says of one machine, in the catalogue's order.

    :param catalogue: entries ``{vendor, model, component, version, image, sha256}``; vendor, model and component are shell patterns in
        any case. A component is matched with the Id, Name and SoftwareId of the firmware inventory.
    :param inventory: (path, SoftwareInventory); ``components``: only these of the catalogue.
    :raises InvalidInput: an entry without version, or two that want different versions of one component.
    :raises NotFound: one of ``components`` is not in the catalogue for this machine.
    """
    chosen: dict[str, Item] = {}
    named: set[str] = set()
    for number, entry in enumerate(catalogue):
        for name in ("component", "version"):
            if not text(entry.get(name)):
                raise InvalidInput(f"catalogue: entry {number + 1} has no {name}", field="catalogue")
        if not (_fits(entry.get("vendor"), vendor) and _fits(entry.get("model"), model)):
            continue
        if components is not None and entry["component"] not in components:
            continue
        named.add(str(entry["component"]))
        for path, body in inventory:
            names = [text(body.get(name)) for name in ("Id", "Name", "SoftwareId")]
            if _is_shadow(names[0]):
                continue
            if not any(_fits(entry["component"], name) for name in names if name):
                continue
            item = Item(
                path,
                names[0] or path.rsplit("/", 1)[-1],
                text(body.get("Version")),
                str(entry["version"]).strip(),
                text(entry.get("image")),
                text(entry.get("sha256")),
                body.get("Updateable") is not False,
                same=(body.get("Name"), body.get("SoftwareId")),
            )
            if path in chosen and chosen[path].wanted != item.wanted:
                raise InvalidInput(
                    f"catalogue: it wants {chosen[path].wanted} and {item.wanted} of {item.component}",
                    field="catalogue",
                )
            chosen.setdefault(path, item)
    missing = sorted(set(components or ()) - named)
    if missing:
        raise NotFound(
            f"the catalogue has no {', '.join(missing)} for {vendor or 'this vendor'} {model or ''}".strip(),
            components=missing,
        )
    return list(chosen.values())


def _is_shadow(name: Optional[str]) -> bool:
    """A row that is not what runs, or that there is twice."""
    return str(name).startswith((*AVAILABLE_PREFIXES, *PREVIOUS_PREFIXES, *DUPLICATE_PREFIXES))


def of_another(path: str, body: Mapping[str, Any], system: str, others: Sequence[tuple[str, str]]) -> bool:
    """Is it firmware of another system behind the same BMC? Its RelatedItem says so, or its Id begins with that system's
    (``Node1.BIOS``)."""
    related = links(body.get("RelatedItem"), path)
    name = text(body.get("Id")) or path.rsplit("/", 1)[-1]

    def within(place: str) -> bool:
        return any(item == place or item.startswith(place + "/") for item in related)

    for other, place in others:
        if (within(place) and not within(system)) or re.match(re.escape(other) + r"[^A-Za-z0-9]", name):
            return True
    return False


def _fits(pattern: Any, value: Optional[str]) -> bool:
    if pattern is None:
        return True
    return value is not None and fnmatchcase(value.lower().strip(), str(pattern).lower().strip())


def multipart(parameters: Mapping[str, Any], name: str, image: bytes) -> tuple[bytes, str]:
    """Body and Content-Type of a multipart HTTP push (DSP0266, section 12.6.2.2)."""
    boundary = secrets.token_hex(16)
    safe = name.replace('"', "_").replace("\r", "_").replace("\n", "_")
    head = (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="UpdateParameters"\r\n'
        "Content-Type: application/json\r\n\r\n"
        f"{json.dumps(parameters)}\r\n"
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="UpdateFile"; filename="{safe}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return head.encode() + image + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


# -- the change ----------------------------------------------------------------------------------------------------------------


def prepare_firmware(service: Service, params: Mapping[str, Any]) -> Change:
    """The updates that bring a machine to the catalogue. Images are checked before the first one is sent.

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
    found = plan(params["catalogue"], vendor, model, inventory, params.get("components"))
    todo = [item for item in found if item.action != "none"]
    rows = [item.to_dict() for item in found]
    _check_direction(service.host, todo, params["direction"], rows)
    for item in todo:
        _check_image(service.host, item)
        check_way(service.host, update, params["method"], item)
    updater = _Updater(service, params, update)

    def apply() -> Mapping[str, Any]:
        try:
            for item in todo:
                updater.update(item)
        except FleetError as error:
            error.details.setdefault("updates", updater.done)
            raise
        finally:
            updater.close()
        return {"firmware": rows, "updates": updater.done}

    before = {item.component: item.installed for item in found}
    after = {item.component: item.installed if item.action == "none" else item.wanted for item in found}
    nothing = () if found else (f"the catalogue names no component of this {vendor or ''} {model or 'machine'}",)
    return Change(before, after, apply, {"firmware": rows, "updates": [], "warnings": nothing})


def _check_direction(host: str, todo: Sequence[Item], direction: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """:raises InvalidInput: an older version, or one of which nobody can tell, and that was not asked for."""
    refused = [item for item in todo if item.action != "upgrade"] if direction == "upgrade" else []
    if refused:
        words = "; ".join(
            f"{item.component}: {item.installed} -> {item.wanted} "
            + ("is a downgrade" if item.action == "downgrade" else "can't be ordered")
            for item in refused
        )
        raise InvalidInput(
            f"{host}: nothing was changed: {words}; with direction: any it is installed",
            field="direction",
            firmware=list(rows),
        )


def _check_image(host: str, item: Item) -> None:
    if not item.updateable:
        raise Unsupported(f"{host}: {item.component}: the BMC says that it can't be updated", component=item.component)
    if item.image is None:
        raise InvalidInput(f"catalogue: {item.component} {item.wanted} has no image", field="catalogue")
    if "://" in item.image:
        return
    path = Path(item.image)
    if not path.is_file():
        raise InvalidInput(f"catalogue: {item.image}: no such file where the module runs", field="catalogue")
    if item.sha256 is not None:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                digest.update(chunk)
        if digest.hexdigest() != item.sha256.lower():
            raise InvalidInput(
                f"catalogue: {item.image} has the SHA-256 {digest.hexdigest()}, not {item.sha256}", field="catalogue"
            )


def check_way(host: str, update: Mapping[str, Any], method: str, item: Item) -> None:
    """Can the image get to this BMC in this way?

    :param update: the UpdateService. ``method``: auto, push or pull.
    :raises InvalidInput: the method or the protocol does not fit the image. :raises Unsupported: the BMC does not offer it.
    """
    image = str(item.image)
    scheme, remote, _rest = image.partition("://")
    if method == "push" and remote:
        raise InvalidInput(f"{item.component}: to push, the image has to be a file, not {image}", field="method")
    if method == "pull" and not remote:
        raise InvalidInput(
            f"{item.component}: for the BMC to pull, the image has to be a URI, not {image}", field="method"
        )
    if not remote:
        if not any(link(update.get(name)) for name in ("MultipartHttpPushUri", "HttpPushUri")):
            raise Unsupported(f"{host}: the BMC takes no images by push; give a URI that it can pull")
        return
    if action_target(update, _PULL) is None:
        raise Unsupported(f"{host}: the BMC does not pull images; give a file to push")
    allowed = _protocols(update)
    if allowed and scheme.upper() not in allowed:
        raise InvalidInput(
            f"{item.component}: the BMC pulls over {', '.join(allowed)}, not {scheme.upper()}",
            field="catalogue",
            allowed=allowed,
        )


def _protocols(update: Mapping[str, Any]) -> list[str]:
    return allowable(action_of(update, _PULL), "TransferProtocol")


class _Updater:
    """Sends images one after the other. Its connection is made anew after an update that restarts the BMC."""

    def __init__(self, service: Service, params: Mapping[str, Any], update: Mapping[str, Any]) -> None:
        self.service = service
        self._first = service
        self._params = params
        self._update = update
        self.done: list[dict[str, Any]] = []

    def close(self) -> None:
        if self.service is not self._first:
            self.service.close()

    def update(self, item: Item) -> None:
        begin = self.service.clock.monotonic()
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
        self._follow(self._send_patiently(item, begin), record, begin)
        if not self._shows(item):
            if self._params["reboot"]:
                reboot(self._params, self.service.clock)
                record["rebooted"] = True
            read_back(
                self.service.clock,
                lambda: {item.component: self._version(item)},
                lambda found: item.shows(found[item.component]),
                "the firmware" if record["rebooted"] else "the firmware (it may need reboot: true)",
                timeout=seconds(self._params, "verify_timeout"),
            )
        record["verified"] = True
        record["seconds"] = round(self.service.clock.monotonic() - begin, 1)

    def _send_patiently(self, item: Item, begin: float) -> HttpResponse:
        """A BMC takes no image while a job runs, its own or one of before: it is asked again until the time for the update is over."""
        limit = seconds(self._params, "task_timeout")
        while True:
            try:
                return self._send(item)
            except Busy:
                if self.service.clock.monotonic() - begin > limit:
                    raise
                self.service.clock.sleep(min(30.0, limit / 20))

    def _send(self, item: Item) -> HttpResponse:
        image = str(item.image)
        if "://" in image:
            return self._pull(item, image)
        timeout = seconds(self._params, "upload_timeout")
        data = Path(image).read_bytes()
        target = link(self._update.get("MultipartHttpPushUri"))
        if target is not None:

            def push(parameters: Mapping[str, Any]) -> HttpResponse:
                body, kind = multipart(parameters, Path(image).name, data)
                return self.service.post(str(target), body, headers={"Content-Type": kind}, timeout=timeout)

            return self._aimed(item, push)
        return self._push_plain(item, str(link(self._update.get("HttpPushUri"))), data, timeout)

    def _push_plain(self, item: Item, target: str, data: bytes, timeout: float) -> HttpResponse:
        """HttpPushUri. What the image is for is said before, where the service lets one say it (DSP0266, HttpPushUriTargets)."""
        home = link(self.service.root.get("UpdateService"))
        says = home is not None and "HttpPushUriTargets" in self._update
        if says and home is not None:
            self.service.patch(home, {"HttpPushUriTargets": [item.path]})
        try:
            return self.service.post(
                target, data, headers={"Content-Type": "application/octet-stream"}, timeout=timeout
            )
        finally:
            if says and home is not None:
                with contextlib.suppress(FleetError):
                    self.service.patch(home, {"HttpPushUriTargets": []})

    def _pull(self, item: Item, image: str) -> HttpResponse:
        parameters = {"ImageURI": image}
        if _protocols(self._update):
            parameters["TransferProtocol"] = image.partition("://")[0].upper()
        return self._aimed(item, lambda aim: self.service.act(self._update, _PULL, {**parameters, **aim}))

    @staticmethod
    def _aimed(item: Item, send: Callable[[Mapping[str, Any]], HttpResponse]) -> HttpResponse:
        """Said what the image is for, unless the BMC finds that out from the image, and refuses to be told (Dell)."""
        try:
            return send({"Targets": [item.path]})
        except Unsupported as error:
            if "Targets" not in error.message:
                raise
            return send({})

    # -- the task ---------------------------------------------------------------------------------------------------------

    def _follow(self, response: HttpResponse, record: dict[str, Any], begin: float) -> None:
        """Until the task is over. A BMC that restarts meanwhile is waited for; a task that is not there any more is over."""
        monitor = link(response.headers.get("location", ""))
        body = body_of(response)
        task = link(body) if "Task" in str(body.get("@odata.type")) else None
        record["task"] = task or monitor
        limit = seconds(self._params, "task_timeout")
        while monitor or task:
            self.service.clock.sleep(min(5.0, limit / 20))
            found, over = self._look(monitor, task)
            if found is None and over and task and monitor:
                monitor = (
                    None  # some BMCs forget the monitor as soon as it was read: the task itself may still be there
                )
                continue
            if found is not None:
                task = (link(found) if "Task" in str(found.get("@odata.type")) else None) or task
                self._note(record, found)
                state = text(found.get("TaskState"))
                over = over or (state is not None and state not in _RUNNING)
                if state in _BAD or (over and found.get("TaskStatus") == "Critical"):
                    words = "; ".join(text(item.get("Message")) or "" for item in items(found.get("Messages")))
                    raise NotVerified(
                        f"{self.service.host}: the update of {record['component']} failed: {state}"
                        f"{': ' + words[:300] if words else ''}",
                        task=record["task"],
                    )
            if over:
                return
            if self.service.clock.monotonic() - begin > limit:
                raise NotVerified(
                    f"{self.service.host}: the update of {record['component']} is not over after {limit:g} s",
                    task=record["task"],
                )

    def _look(self, monitor: Optional[str], task: Optional[str]) -> tuple[Optional[Mapping[str, Any]], bool]:
        """(what there is to see, whether it is over); (None, False) while the BMC does not answer."""
        try:
            response = self.service.send("GET", monitor or str(task))
        except TransientError:
            self._reconnect()
            return None, False
        if response.status in (404, 410):
            return None, True
        if response.status >= 400:
            return None, False
        return body_of(response) or None, monitor is not None and response.status != 202

    def _note(self, record: dict[str, Any], found: Mapping[str, Any]) -> None:
        state, percent = text(found.get("TaskState")), integer(found.get("PercentComplete"))
        last = record["progress"][-1] if record["progress"] else {}
        if (last.get("state"), last.get("percent")) != (state, percent):
            record["progress"].append({"at": self.service.clock.now(), "state": state, "percent": percent})

    def _reconnect(self) -> None:
        try:
            fresh = open_service(bmc_options(self._params), self.service.clock)
        except TransientError:
            return
        self.close()
        self.service = fresh

    def _version(self, item: Item) -> Optional[str]:
        try:
            return text(at(self.service.find(item.path) or self._moved(item), "Version"))
        except TransientError:
            self._reconnect()
            raise

    def _moved(self, item: Item) -> Optional[Mapping[str, Any]]:
        """The component at another path than before; of several that are the same, the one with the version that is wanted."""
        home = link(self.service.root.get("UpdateService"))
        rows = self.service.members(link(self._update.get("FirmwareInventory"), home or ""))
        found = [
            body
            for _path, body in rows
            if (body.get("Name"), body.get("SoftwareId")) == item.same and not _is_shadow(text(body.get("Id")))
        ]
        return next((body for body in found if item.shows(text(body.get("Version")))), found[0] if found else None)

    def _shows(self, item: Item) -> bool:
        try:
            return item.shows(self._version(item))
        except FleetError:
            return False
