# SPDX-License-Identifier: BSD-2-Clause

"""Supermicro's ``sum -c GetCurrentBiosCfg``: the BIOS settings as XML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any, Optional

from ...document.bios import is_secret
from ...document.model import Device
from ...document.outputs import expect, parser, xml
from ...document.values import MAX_ITEMS, text
from .bios_settings import of_settings, supermicro

_VALUES = ("selectedOption", "checkedStatus", "numericValue", "stringValue")


@parser("sum")
def parse_sum(raw: str) -> Device:
    """Settings by name; a name that several menus have is written as ``Menu > Name`` from the second on.

    BIOS and CPLD versions come from the texts of the first menu.

    :raises ParseError: not ``BiosCfg``.
    """
    root = xml(raw, "sum")
    expect("sum", root.tag == "BiosCfg", "no BiosCfg in the output")
    settings: dict[str, Any] = {}
    texts: list[str] = []
    waiting: list[tuple[ET.Element, str]] = [(root, "")]
    seen = 0
    while waiting and seen < MAX_ITEMS:
        item, menu = waiting.pop()
        seen += 1
        if item.tag == "Setting":
            _setting(item, menu, settings)
            continue
        if item.tag == "Text" and item.text:
            texts.append(item.text)
        inside = item.get("name") or menu if item.tag == "Menu" else menu
        waiting += [(child, inside) for child in reversed(list(item)) if isinstance(child.tag, str)]
    bios, date, cpld = (_stated(texts, name) for name in ("BIOS Version", "Build Date", "CPLD Version"))
    return of_settings("sum", settings, **supermicro(bios, date, cpld))


def _setting(item: ET.Element, menu: str, settings: dict[str, Any]) -> None:
    name, kind = text(item.get("name")), item.get("type") or ""
    # Strings come as child elements; a string named Password is one.
    if name is None or is_secret(name, kind) or (kind == "String" and "password" in name.lower()):
        return
    value = next((found for found in map(item.get, _VALUES) if found is not None), item.findtext("StringValue"))
    settings[name if name not in settings else f"{text(menu) or 'Menu'} > {name}"] = value


def _stated(texts: list[str], name: str) -> Optional[str]:
    """``BIOS Version(1.5)``."""
    found = [re.match(rf"^{name}\s*\(([^()]{{1,100}})\)", item.strip()[:300]) for item in texts[:1000]]
    return next((text(item[1]) for item in found if item), None)
