# SPDX-License-Identifier: BSD-2-Clause
"""Redfish actions (POST) and changes of properties (PATCH) that virtual BMCs really carry out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from fleetlab.replies import Refused, Reply, reply
from fleetlab.state import State
from fleetlab.tree import ROOT, Resource, canonical, link, members

_ALLOWABLE = "@Redfish.AllowableValues"

# Properties that a PATCH may change: in a system's Boot, and in any resource that has them.
_BOOT = {
    "BootOrder",
    "BootSourceOverrideEnabled",
    "BootSourceOverrideMode",
    "BootSourceOverrideTarget",
    "HttpBootUri",
    "UefiTargetBootSourceOverride",
}
_WRITABLE = {
    "AssetTag",
    "Attributes",
    "Boot",
    "BootOptionEnabled",
    "DateTime",
    "Enabled",
    "HostName",
    "HttpPushUriTargets",
    "IndicatorLED",
    "LocationIndicatorActive",
    "Locked",
    "Password",
    "RoleId",
    "SecureBootEnable",
    "UserName",
}
_KNOWN_VALUES = {
    "BootSourceOverrideEnabled": ["Disabled", "Once", "Continuous"],
    "BootSourceOverrideMode": ["Legacy", "UEFI"],
    "IndicatorLED": ["Lit", "Blinking", "Off"],
}


class Actions:
    """Carries out actions on a State. `restart_bmc`: what Manager.Reset does; `task_seconds`: how long a task takes.

    `firmware_at_boot`: what an update brings is in effect after the machine's next boot.
    """

    def __init__(
        self, state: State, restart_bmc: Callable[[], None], task_seconds: float, firmware_at_boot: bool = False
    ) -> None:
        self._state = state
        self._restart_bmc = restart_bmc
        self._task_seconds = task_seconds
        self._firmware_at_boot = firmware_at_boot
        self._task_numbers = itertools.count(1)
        self.task_of_monitor: dict[str, str] = {}
        self._known: dict[str, Callable[[str, Resource, Resource], Reply]] = {
            "#ComputerSystem.Reset": self._reset_system,
            "#Chassis.Reset": self._reset_chassis,
            "#Manager.Reset": self._reset_manager,
            "#LogService.ClearLog": self._clear_log,
            "#VirtualMedia.InsertMedia": self._insert_media,
            "#VirtualMedia.EjectMedia": self._eject_media,
            "#UpdateService.SimpleUpdate": self._simple_update,
            "#SecureBoot.ResetKeys": self._reset_keys,
            "#Bios.ResetBios": self._reset_bios,
        }

    def post(self, path: str, parameters: Resource) -> Reply:
        """Carry out the action at `<resource>/Actions/<name>`. Raises Refused."""
        owner, found, _ = path.partition("/Actions/")
        resource = self._state.get(owner) if found else None
        actions = (resource or {}).get("Actions") or {}
        for name, action in {**actions, **(actions.get("Oem") or {})}.items():
            target = action.get("target") if isinstance(action, dict) else None
            if isinstance(target, str) and canonical(target).lower() == path.lower():
                if resource is None or name not in self._known:
                    raise Refused(400, "ActionNotSupported", f"The action {name} is not supported.", name)
                self._check(name, action, parameters)
                return self._known[name](self._state.find(owner), resource, parameters)
        if self._state.get(path) is not None:
            raise Refused(405, "OperationNotAllowed", "The HTTP method is not allowed on this resource.", Allow="GET")
        raise Refused(404, "ResourceMissingAtURI", f"The resource at the URI {path} was not found.", path)

    def _check(self, name: str, action: Resource, parameters: Resource) -> None:
        """Check parameters against the allowable values in the action itself or in its ActionInfo."""
        info = self._state.get(str(action.get("@Redfish.ActionInfo", ""))) or {}
        described = {item.get("Name"): item for item in info.get("Parameters") or [] if isinstance(item, dict)}
        for parameter, value in parameters.items():
            allowed = action.get(parameter + _ALLOWABLE) or described.get(parameter, {}).get("AllowableValues")
            if allowed and value not in allowed:
                raise Refused(
                    400,
                    "ActionParameterNotSupported",
                    f"The value {value} of the parameter {parameter} of the action {name} is none of "
                    f"{', '.join(map(str, allowed))}.",
                    str(value),
                    parameter,
                    name,
                )

    def _reset_system(self, path: str, _system: Resource, parameters: Resource) -> Reply:
        self.reset(path, str(required(parameters, "ResetType", "#ComputerSystem.Reset")))
        return Reply(204)

    def reset(self, path: str, kind: str) -> None:
        """Do what a ResetType says. Raises Refused where the system's power state doesn't allow it."""
        state, behaviour = self._state, self._state.behaviour
        on = state.is_on(path)
        graceful = behaviour.off_seconds if behaviour.graceful_seconds is None else behaviour.graceful_seconds
        if kind == "PushPowerButton":
            kind = "GracefulShutdown" if on else "On"
        elif kind in {"PowerCycle", "FullPowerCycle"} and not on:
            kind = "On"
        if kind in {"GracefulShutdown", "GracefulRestart"} and on and behaviour.ignore_graceful:
            state.event("ignored", path, kind)
            return
        wants = {"On": True, "ForceOn": True, "ForceOff": False, "GracefulShutdown": False}.get(kind)
        if wants is not None and wants == on and behaviour.refuse_same:
            raise Refused(409, "ResourceInUse", f"The system is already {'on' if on else 'off'}.")
        if wants is not None:
            if wants != on or state.power_state(path).startswith("Powering"):
                seconds = behaviour.on_seconds if wants else behaviour.off_seconds if kind == "ForceOff" else graceful
                state.set_power(path, wants, kind, seconds)
        elif not on:
            raise Refused(409, "ResourceInStandby", f"{kind} is not possible while the system is off.", kind)
        elif kind in {"PowerCycle", "FullPowerCycle"}:
            state.cycle(path, behaviour.off_seconds, kind)
        elif kind in {"ForceRestart", "GracefulRestart"}:
            state.restart(path, graceful if kind == "GracefulRestart" else 0.0, kind)
        elif kind == "Nmi":
            state.event("nmi", path, kind)
        else:
            raise Refused(400, "ActionParameterNotSupported", f"ResetType {kind} is not supported.", kind, "ResetType")

    def _reset_chassis(self, _path: str, chassis: Resource, parameters: Resource) -> Reply:
        kind = str(required(parameters, "ResetType", "#Chassis.Reset"))
        for reference in (chassis.get("Links") or {}).get("ComputerSystems") or []:
            self.reset(self._state.find(link(reference)), kind)
        return Reply(204)

    def _reset_manager(self, path: str, _manager: Resource, parameters: Resource) -> Reply:
        self._state.event("bmc-reset", path, str(parameters.get("ResetType", "GracefulRestart")))
        self._restart_bmc()
        return Reply(204)

    def _clear_log(self, _path: str, log: Resource, _parameters: Resource) -> Reply:
        self._state.clear_members(link(log.get("Entries")))
        return Reply(204)

    def _reset_bios(self, path: str, bios: Resource, _parameters: Resource) -> Reply:
        """Stages the registry's defaults for the next boot."""
        registries = link((self._state.get(ROOT) or {}).get("Registries"))
        for member in members(self._state.get(registries)):
            location = (self._state.get(member) or {}).get("Location") or [{}]
            if (self._state.get(member) or {}).get("Id") != bios.get("AttributeRegistry"):
                continue
            entries = (
                (self._state.get(str(location[0].get("Uri"))) or {}).get("RegistryEntries", {}).get("Attributes", [])
            )
            defaults = {entry["AttributeName"]: entry["DefaultValue"] for entry in entries if "DefaultValue" in entry}
            self._state.update(self._state.settings_of(path), {"Attributes": defaults})
        return Reply(204)

    def _insert_media(self, path: str, media: Resource, parameters: Resource) -> Reply:
        image = str(required(parameters, "Image", "#VirtualMedia.InsertMedia"))
        if media.get("Inserted"):
            raise Refused(409, "ResourceInUse", "There is an image in this virtual medium already.")
        self._state.update(
            path,
            {
                "Image": image,
                "ImageName": image.rpartition("/")[2],
                "Inserted": parameters.get("Inserted", True),
                "WriteProtected": parameters.get("WriteProtected", True),
                "ConnectedVia": "URI",
            },
        )
        return Reply(204)

    def _eject_media(self, path: str, _media: Resource, _parameters: Resource) -> Reply:
        gone = {"Image": None, "ImageName": None, "Inserted": False, "ConnectedVia": "NotConnected"}
        self._state.update(path, gone)
        return Reply(204)

    def _reset_keys(self, path: str, _secure_boot: Resource, parameters: Resource) -> Reply:
        kind = str(required(parameters, "ResetKeysType", "#SecureBoot.ResetKeys"))
        self._state.update(path, {"SecureBootMode": "UserMode" if kind == "ResetAllKeysToDefault" else "SetupMode"})
        return Reply(204)

    def _simple_update(self, _path: str, _service: Resource, parameters: Resource) -> Reply:
        image = str(required(parameters, "ImageURI", "#UpdateService.SimpleUpdate"))
        return self._update(image.rpartition("/")[2], parameters.get("Targets"))

    def push(self, path: str, content_type: str, body: bytes) -> Reply | None:
        """Take an image at one of the UpdateService's push URIs; None when `path` is none of them. Raises Refused."""
        service = self._state.follow(self._state.get(ROOT), "UpdateService") or {}
        if path == service.get("HttpPushUri"):
            return self._update(body[:200].decode("ascii", "replace").strip(), service.get("HttpPushUriTargets"))
        if path != service.get("MultipartHttpPushUri"):
            return None
        head = f"Content-Type: {content_type}\r\n\r\n".encode()
        parts = {}
        for part in BytesParser(policy=HTTP).parsebytes(head + body).iter_parts():
            parts[part.get_param("name", header="content-disposition")] = part
        try:
            parameters = json.loads(bytes(parts["UpdateParameters"].get_payload(decode=True)))
            image = parts["UpdateFile"].get_filename()
        except (KeyError, ValueError):
            text = "The request needs the parts UpdateParameters and UpdateFile."
            raise Refused(400, "ActionParameterMissing", text) from None
        return self._update(str(image), parameters.get("Targets"))

    def _update(self, image: str, targets: Any) -> Reply:
        """A task that ends by giving the targets the version in the image's name.

        The name is `<anything>-<version>.<suffix>`; without a version the task fails.
        """
        name, dash, version = image.rpartition("-")
        version = version.rpartition(".")[0]
        paths = [self._state.find(str(target)) for target in targets or []]
        if paths and not (dash and version):
            return self._start_task(f"Update from {image}", lambda: "The image is not valid for this machine.")

        def install() -> str:
            for path in paths:
                if self._firmware_at_boot:
                    self._state.staged_firmware[path] = version
                    continue
                self._state.update(path, {"Version": version})
                self._state.event("firmware", path, name, version=version)
            return ""

        return self._start_task(f"Update from {image}", install)

    def _start_task(self, name: str, finish: Callable[[], str]) -> Reply:
        """Make a task that runs through four steps; its monitor answers 202 until then.

        `finish` does what the task is for, and returns "" for Completed or else the message of an Exception.
        """
        state = self._state
        service = state.follow(state.get(ROOT), "Tasks") or {}
        tasks = link(service.get("Tasks"))
        if state.get(tasks) is None:
            raise Refused(501, "ActionNotSupported", "This service has no tasks.")
        number = str(next(self._task_numbers))
        path, monitor = f"{tasks}/FL{number}", f"{canonical(service['@odata.id'])}/TaskMonitors/FL{number}"
        state.add_member(
            tasks,
            {
                "@odata.id": path,
                "@odata.type": "#Task.v1_7_4.Task",
                "Id": f"FL{number}",
                "Name": name,
                "TaskState": "New",
                "TaskStatus": "OK",
                "PercentComplete": 0,
                "TaskMonitor": monitor,
                "Messages": [],
            },
        )
        self.task_of_monitor[monitor] = path

        def go_on(percent: int) -> None:
            done = percent >= 100
            problem = finish() if done else ""
            reached = "Exception" if problem else "Completed" if done else "Running"
            messages = [{"MessageId": "Update.1.1.VerificationFailed", "Message": problem}] if problem else []
            changes = {"TaskState": reached, "TaskStatus": "Critical" if problem else "OK", "Messages": messages}
            state.update(path, {"PercentComplete": percent, **changes})
            if not done:
                state.later(self._task_seconds / 4, lambda: go_on(percent + 25))

        state.later(self._task_seconds / 4, lambda: go_on(25))
        return Reply(202, headers={"Location": monitor, "Retry-After": "1"})

    def show_task(self, monitor: str) -> Reply:
        """The answer of a task monitor: 202 while the task runs, then 200."""
        task = self._state.get(self.task_of_monitor[monitor]) or {}
        if task.get("TaskState") in {"New", "Running"}:
            return reply(202, task, Location=monitor, Retry_After="1")
        return reply(200, task)

    def patch(self, path: str, resource: Resource, changes: Resource) -> None:
        """Change properties of a resource. Raises Refused and changes nothing when one of them isn't allowed."""
        bios = self._bios_of_settings(path)
        attributes = (self._state.get(bios) or {}).get("Attributes") or {} if bios else {}
        for name, value in changes.items():
            if name.startswith("@"):
                continue
            if name == "Attributes" and bios:
                for attribute in value if isinstance(value, dict) else {}:
                    if attribute not in attributes:
                        raise unknown(attribute)
            elif name not in resource:
                raise unknown(name)
            elif name not in _WRITABLE or (name == "Attributes" and self._state.settings_of(path)):
                raise Refused(400, "PropertyNotWritable", f"The property {name} is read-only.", name)
            elif name == "Boot":
                self._check_boot(resource["Boot"], value)
            else:
                check_value(name, value, resource)
        self._state.update(path, changes)

    def _check_boot(self, boot: Resource, changes: Any) -> None:
        if not isinstance(changes, dict):
            raise Refused(400, "PropertyValueTypeError", "The value of Boot must be an object.", "Boot")
        for name, value in changes.items():
            if name not in _BOOT:
                raise unknown(name)
            if name == "BootOrder":
                if not isinstance(value, list) or set(value) - set(boot.get("BootOrder") or []):
                    raise Refused(400, "PropertyValueNotInList", "BootOrder names unknown boot options.", str(value))
            else:
                check_value(name, value, boot)

    def _bios_of_settings(self, path: str) -> str:
        """The Bios whose settings object is at `path`, or ""."""
        for system in self._state.tree.systems():
            bios = link((self._state.get(system) or {}).get("Bios"))
            if bios and self._state.settings_of(bios) == path:
                return bios
        return ""


def required(parameters: Resource, name: str, action: str) -> object:
    if name not in parameters:
        text = f"The action {action} requires the parameter {name}."
        raise Refused(400, "ActionParameterMissing", text, action, name)
    return parameters[name]


def unknown(name: str) -> Refused:
    return Refused(400, "PropertyUnknown", f"The property {name} is not in the list of valid properties.", name)


def check_value(name: str, value: Any, around: Resource) -> None:
    """Check one property's new value against the allowable values beside it, or the schema's."""
    allowed = around.get(name + _ALLOWABLE) or _KNOWN_VALUES.get(name)
    if allowed and value not in allowed:
        text = f"The value {value} of the property {name} is not in the list of acceptable values."
        raise Refused(400, "PropertyValueNotInList", text, str(value), name)
