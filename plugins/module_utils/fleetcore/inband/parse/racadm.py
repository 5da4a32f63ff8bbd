# SPDX-License-Identifier: BSD-2-Clause

"""Dell server configuration profiles, as ``racadm get -t json|xml -f FILE`` writes them: the BIOS part."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from ...document.model import Device
from ...document.outputs import at, decoded, document, expect, mapping, parser, xml
from ...document.values import MAX_ITEMS, clean_serial, items, text, word
from .bios_settings import of_settings

_BIOS = "BIOS."
_COMMENTED = re.compile(r'<Attribute\s+Name="([^"]{1,200})"\s*>([^<]{0,2000})</Attribute>')


@parser("racadm")
def parse_racadm(raw: str) -> Device:
    """BIOS settings of a profile in JSON or XML, with the model and service tag that it was taken from.

    :raises ParseError: no profile, or no BIOS component in it.
    """
    return _of_xml(raw) if "<SystemConfiguration" in decoded(raw)[:20000] else _of_json(raw)


def _of_json(raw: str) -> Device:
    profile = mapping(at(document(raw, "racadm"), "SystemConfiguration"))
    expect("racadm", profile, "no SystemConfiguration in the output")
    settings: dict[str, Any] = {}
    for component in items(profile.get("Components")):
        if (text(component.get("FQDD")) or "").startswith(_BIOS):
            for attribute in items(component.get("Attributes")):
                name = text(attribute.get("Name"))
                if name:
                    settings.setdefault(name, attribute.get("Value"))
    return _device(settings, profile.get("Model"), profile.get("ServiceTag"))


def _of_xml(raw: str) -> Device:
    """Settings in comments are settings, too: they only cannot be imported."""
    root = xml(raw, "racadm", comments=True)
    expect("racadm", root.tag == "SystemConfiguration", "no SystemConfiguration in the output")
    settings: dict[str, Any] = {}
    for component in root.findall("Component")[:MAX_ITEMS]:
        if not (component.get("FQDD") or "").startswith(_BIOS):
            continue
        for item in component.iter():
            if item.tag is ET.Comment:  # type: ignore[comparison-overlap]
                for name, value in _COMMENTED.findall(item.text or ""):
                    settings.setdefault(name, value)
            elif item.tag == "Attribute" and item.get("Name"):
                settings.setdefault(str(item.get("Name")), item.text or "")
    return _device(settings, root.get("Model"), root.get("ServiceTag"))


def _device(settings: Mapping[str, Any], model: Any, tag: Any) -> Device:
    return of_settings("racadm", settings, vendor="Dell Inc.", model=word(model), serial=clean_serial(tag))
