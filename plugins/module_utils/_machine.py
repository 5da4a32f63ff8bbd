# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decides for the module ``machine``: options -> wanted fields, (have, want) -> plan. Private to this collection."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any, Optional
from urllib.parse import urlsplit

from ._server import if_there
from .fleetcore.document.values import clean_mac
from .fleetcore.errors import ConflictError, InvalidInput, NotFound, NotVerified
from .fleetcore.net.client.base import check_id
from .fleetcore.net.client.machines import Machines
from .fleetcore.net.tls import clean_fingerprint
from .fleetcore.option import Options, option
from .fleetcore.ports import Plan

Machine = Mapping[str, Any]

PLACE = ("site", "rack", "position")
MANAGED = ("labels", *PLACE, "lifecycle", "bmc")

BMC: Options = {
    "address": option(
        "str",
        """
            Host name or IP address. Needed when the machine has no BMC yet.

            A URL V(https://host:port) sets O(bmc.redfish_scheme) and O(bmc.redfish_port), too.
        """,
    ),
    "mac": option("str", "MAC address of the BMC's network port, in any of the usual notations."),
    "drivers": option(
        "list",
        """
            Drivers to try, in this order. Those other than V(redfish) and V(ipmi) get their options from inventory
            variables.
        """,
        elements="str",
        choices=["redfish", "ipmi", "pdu", "wake_on_lan", "command", "tasks"],  # written by scripts/check_docs.py
    ),
    "redfish_scheme": option("str", "How Redfish is spoken.", choices=["https", "http"]),
    "redfish_port": option("int", "TCP port for Redfish."),
    "ipmi_port": option("int", "UDP port for IPMI."),
    "system": option("str", "Id of the machine's ComputerSystem, where a BMC has several."),
    "validate_certs": option("bool", "Whether the BMC's certificate is checked."),
    "fingerprint": option("str", "SHA-256 fingerprint of the BMC's certificate in hexadecimal, colons allowed."),
    "credential": option(
        "str",
        """
            Name of the login that the BMC takes, stored with M(baremetal.fleet.credential). An empty string clears it.
        """,
    ),
}
"""How a machine's BMC is reached."""
OPTIONS: Options = {
    "name": option(
        "str",
        """
            Id of the machine. It becomes its name in the inventory.

            Can't be changed later. It may contain slashes.
        """,
        required=True,
        aliases=["id"],
    ),
    "state": option(
        "str",
        """
            V(present) creates or changes the machine.

            V(absent) deletes it together with its device documents. A machine that does not exist is fine.
        """,
        choices=["present", "absent"],
        default="present",
    ),
    "labels": option(
        "dict",
        """
            All labels of the machine. Labels that are not listed here are removed; V({}) removes all.

            Values are strings. Numbers and booleans are converted, booleans to V(true) and V(false).
        """,
    ),
    "site": option("str", "Where the machine stands."),
    "rack": option("str", "The rack that it is in."),
    "position": option("str", "Its position in the rack."),
    "lifecycle": option(
        "str",
        """
            State of the machine's life, in your words, for example V(active), V(broken) or V(retired). The server
            starts with V(active).
        """,
    ),
    "bmc": option(
        "dict",
        """
            How to reach the machine's BMC. Settings that are not given stay as they are.

            User name and password are not among them. Playbooks take them from O(bmc.credential), from C(bmc_username)
            and C(bmc_password), or from the environment variables E(BMC_USERNAME) and E(BMC_PASSWORD).
        """,
        options=BMC,
    ),
}


def plan(client: Machines, params: Mapping[str, Any]) -> Plan:
    """Read the machine and plan what ``params`` (the module's options) ask for.

    :raises InvalidInput: an option can't be used, ``details["field"]`` names it; raised before anything is sent.
    """
    name = check_id(params["name"], "name")
    if params["state"] == "absent":
        return _absent(client, name)
    want = wanted(params)
    have = if_there(lambda: client.machine(name))
    after = merged(have, want)

    def preview() -> Mapping[str, Any]:
        return {"machine": {"id": name, **(have or {}), **after}}

    def apply() -> Mapping[str, Any]:
        machine = _write(client, name, have, want)
        left = [field for field, value in merged(machine, want).items() if value != managed(machine)[field]]
        if left:
            raise NotVerified(
                f"machine {name}: the server accepted {', '.join(left)} but has something else now", fields=left
            )
        return {"machine": machine}

    return Plan(managed(have) if have else {}, after, preview, apply)


def _absent(client: Machines, name: str) -> Plan:
    have = if_there(lambda: client.machine(name))

    def apply() -> Mapping[str, Any]:
        with contextlib.suppress(NotFound):  # somebody was faster
            client.delete_machine(name)
        return {}

    return Plan(managed(have) if have else {}, {}, dict, apply)


def _write(client: Machines, name: str, have: Optional[Machine], want: Mapping[str, Any], attempts: int = 3) -> Machine:
    """Create or patch; read and try again if somebody else wrote in between."""
    try:
        if have is None:
            return client.create_machine({"id": name, **merged(None, want)})
        patch = merge_patch(managed(have), merged(have, want))
        return client.patch_machine(name, patch, have.get("version")) if patch else have
    except ConflictError:
        if attempts == 1:
            raise
        return _write(client, name, if_there(lambda: client.machine(name)), want, attempts - 1)


# -- values ------------------------------------------------------------------------------------------------------------


def managed(machine: Machine) -> dict[str, Any]:
    """The writable fields of a machine, all of them there."""
    out = {field: machine.get(field) for field in MANAGED}
    out["labels"] = dict(out["labels"] or {})
    return out


def merged(have: Optional[Machine], want: Mapping[str, Any]) -> dict[str, Any]:
    """Merge the managed fields as they are to be: labels as a whole, BMC settings one by one, what is not wanted stays.

    :raises InvalidInput: a BMC without an address.
    """
    out = {**managed(have or {}), **want}
    if "bmc" in want:
        out["bmc"] = {**((have or {}).get("bmc") or {}), **want["bmc"]}
        if not out["bmc"].get("address"):
            raise InvalidInput.of("bmc.address", "needed for a machine that has no BMC yet")
    return out if have else {field: value for field, value in out.items() if value is not None}


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch (RFC 7396) from one to the other."""
    patch: dict[str, Any] = {key: None for key in before if key not in after}
    for key, value in after.items():
        old = before.get(key)
        if key not in before or value != old:
            both = isinstance(value, Mapping) and isinstance(old, Mapping)
            patch[key] = merge_patch(old, value) if both else value
    return patch


def wanted(params: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the options give, normalised. An empty string clears a field.

    :raises InvalidInput: see :func:`plan`.
    """
    want: dict[str, Any] = {field: params[field].strip() or None for field in PLACE if params[field] is not None}
    if params["lifecycle"] is not None:
        want["lifecycle"] = params["lifecycle"].strip()
        if not want["lifecycle"]:
            raise InvalidInput.of("lifecycle", "a machine is always in some state; give one")
    if params["labels"] is not None:
        want["labels"] = {_label_key(key): label_value(key, value) for key, value in params["labels"].items()}
    if params["bmc"] is not None:
        given = _split_url({key: value for key, value in params["bmc"].items() if value is not None})
        want["bmc"] = {key: _setting(key, value) for key, value in given.items()}
    return want


def _label_key(key: Any) -> str:
    if not isinstance(key, str) or not key.strip():
        raise InvalidInput.of("labels", f"{key!r} is not a name for a label")
    return key.strip()


def label_value(key: Any, value: Any) -> str:
    """A label's value as the server keeps it. :raises InvalidInput: a list, a dictionary, nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, (str, int, float)):
        raise InvalidInput.of(
            f"labels.{key}", f"expected a string, got {type(value).__name__}; to remove a label leave it out"
        )
    return str(value)


def _setting(key: str, value: Any) -> Any:
    """Clean one setting of the BMC. An empty text clears it."""
    field = f"bmc.{key}"
    if key.endswith("_port") and not 1 <= value <= 65535:
        raise InvalidInput.of(field, f"{value} is not a port (1 to 65535)")
    if key == "drivers" and (not value or len(set(value)) != len(value)):
        raise InvalidInput.of(field, "expected at least one driver, each once")
    if not isinstance(value, str):
        return value
    clean = value.strip()
    if key == "address":
        if "@" in clean:  # not shown: it is a login
            raise InvalidInput.of(field, "must not hold a user name or password")
        if not clean or any(char.isspace() for char in clean):
            raise InvalidInput.of(field, f"{value!r} is not a host name or IP address")
        return clean.strip("[]")
    if key == "mac" and clean:
        mac = clean_mac(clean)
        if mac is None:
            raise InvalidInput.of(field, f"{value!r} is not a MAC address such as 00:25:90:ab:cd:ef")
        return mac
    if key == "fingerprint":
        try:
            return (clean_fingerprint(value) or "").replace(":", "") or None  # as the server keeps it
        except InvalidInput as error:
            raise InvalidInput(f"bmc.{error.message}", field=field) from None
    return clean or None


def _split_url(bmc: Mapping[str, Any]) -> dict[str, Any]:
    """``address: https://host:port`` as address, redfish_scheme and redfish_port, which are what the server keeps."""
    address = bmc.get("address") or ""
    if "://" not in address or "@" in address:
        return dict(bmc)
    url = urlsplit(address.strip())
    try:
        port = url.port
    except ValueError:
        port = 0  # refused as a port
    if url.scheme not in ("https", "http") or not url.hostname or url.path.strip("/") or url.query:
        raise InvalidInput.of("bmc.address", f"{address!r} is not of the form https://host[:port]")
    said: dict[str, Any] = {"redfish_scheme": url.scheme}
    if port is not None:
        said["redfish_port"] = port
    for key, value in said.items():
        if bmc.get(key, value) != value:
            raise InvalidInput.of(f"bmc.{key}", f"is {bmc[key]}, but bmc.address says {value}")
    return {**bmc, **said, "address": url.hostname}
