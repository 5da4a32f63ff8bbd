# SPDX-License-Identifier: BSD-2-Clause

"""HPE's BIOS settings: ``conrep -s`` and ``hprcu -s`` (XML), and the resource that ``ilorest rawget`` prints (JSON)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from ...document.model import Device
from ...document.outputs import decoded, document, expect, mapping, parser, xml
from ...document.values import MAX_ITEMS, text
from .bios_settings import of_settings


@parser("hpe-bios")
def parse_hpe_bios(raw: str) -> Device:
    """Settings by the tool's names.

    :raises ParseError: none of the three formats, or no setting in it.
    """
    content = decoded(raw).lstrip()
    settings = _of_xml(xml(raw, "hpe-bios")) if content.startswith("<") else _of_json(document(raw, "hpe-bios"))
    return of_settings("hpe-bios", settings, vendor="HPE")


def _of_json(body: Any) -> dict[str, Any]:
    found = mapping(body).get("Attributes")
    expect("hpe-bios", isinstance(found, dict), "no BIOS attributes in the output")
    return {str(name): value for name, value in mapping(found).items() if not isinstance(value, (dict, list))}


def _of_xml(root: ET.Element) -> dict[str, Any]:
    expect("hpe-bios", root.tag.lower() in ("conrep", "hprcu"), "no BIOS settings in the output")
    out: dict[str, Any] = {}
    for item in root.findall("Section")[:MAX_ITEMS]:  # conrep; what has sections of its own is data, not a setting
        if item.get("name") and not len(item):
            out.setdefault(str(item.get("name")), text(item.text) or "")
    for item in list(root.iter("feature"))[:MAX_ITEMS]:  # hprcu
        options = {option.get("option_id"): text(option.findtext("option_name")) for option in item.findall("option")}
        chosen = options.get(item.get("selected_option_id")) or text(item.findtext("feature_value"))
        name = text(item.findtext("feature_name"))
        if name:
            out.setdefault(name, chosen or "")
    return out
