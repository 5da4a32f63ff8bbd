# SPDX-License-Identifier: BSD-2-Clause

"""The settings of the BIOS, without passwords."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Optional

from ...document.bios import normalised
from ...document.parts import BiosConfiguration
from ..quirks import ATTRIBUTE_VALUE_NAMES
from ..redact import is_secret
from ..rules import Follow, Topic
from ..tree import Tree
from ..values import text


def read(tree: Tree) -> Optional[BiosConfiguration]:
    """Attributes without passwords; ``pending`` are those that the settings resource has otherwise."""
    found = tree.of("bios")
    if not found:
        return None
    raw = _attributes(found[0][1])
    pending: dict[str, Any] = {}
    for _path, body in tree.of("bios_settings"):
        # What is empty there is not set to anything.
        pending.update({name: value for name, value in _attributes(body).items() if value not in (raw.get(name), "")})
    return BiosConfiguration(settings=normalised(raw), raw=raw, pending=pending) if raw or pending else None


_NO_ATTRIBUTE = ("AttributeRegistry", "Description", "Id", "Modified", "Name", "Type")


def _attributes(body: Mapping[str, Any]) -> dict[str, Any]:
    attributes = body.get("Attributes")
    if attributes is None and "AttributeRegistry" in body:  # iLO 4: beside the resource's own properties
        attributes = {name: value for name, value in body.items() if "@" not in name and name not in _NO_ATTRIBUTE}
    out: dict[str, Any] = {}
    if isinstance(attributes, Mapping):
        for name, value in attributes.items():
            inner = value
            if isinstance(value, Mapping):
                inner = next((value[key] for key in ATTRIBUTE_VALUE_NAMES if key in value), value)
            clean = text(inner) or "" if inner is None or isinstance(inner, str) else inner
            fits = isinstance(clean, (bool, str)) or (isinstance(clean, (int, float)) and abs(clean) < 2**63)
            if fits and not is_secret(str(name), clean):
                out[str(name)[:200]] = clean
    return out


TOPIC = Topic(
    "bios_configuration",
    read,
    rules={
        "system": (Follow(("Bios", "BIOS", "Oem.Hp.links.BIOS"), "bios", many=False),),
        "bios": (
            Follow(
                ("@Redfish.Settings.SettingsObject", "links.Settings", "Links.Settings"), "bios_settings", many=False
            ),
        ),
    },
)
