# SPDX-License-Identifier: BSD-2-Clause

"""ASRockRack's BIOS settings as JSON: a list of questions with the number that was chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Optional

from ...document.bios import is_secret
from ...document.model import Device
from ...document.outputs import document, expect, parser
from ...document.values import integer, items, text
from .bios_settings import of_settings

# Where the setup screen puts a title, and in what colour: ESC { a1 #.
_LAYOUT = re.compile(r"\x1b\{[a-z0-9]{1,9}#")


@parser("asrr-bioscontrol")
def parse_asrr_bios(raw: str) -> Device:
    """Settings by title, values by the title of the choice. Questions with the same title have a number behind it.

    :raises ParseError: not such a list.
    """
    found = [item for item in items(document(raw, "asrr-bioscontrol")) if "Title" in item and "Value" in item]
    questions: list[Mapping[str, Any]] = [{**item, "Title": _LAYOUT.sub("", str(item["Title"]))} for item in found]
    expect("asrr-bioscontrol", questions, "no settings in the output")
    settings: dict[str, Any] = {}
    count: dict[str, int] = {}
    for item in questions:
        title = text(item.get("Title"))
        if title is None or is_secret(title, text(item.get("Value Type"))):
            continue
        count[title] = count.get(title, 0) + 1
        settings[title if count[title] == 1 else f"{title} #{count[title]}"] = _chosen(item)
    return of_settings("asrr-bioscontrol", _without_the_cpus_boot_mode(settings, questions))


def _chosen(item: Mapping[str, Any]) -> Any:
    value = item.get("Value")
    for choice in items(item.get("Valid Value")):
        if choice.get("Value") == value:
            return text(choice.get("Title"))
    if item.get("Value Type") == "BOOLEAN" and value in (0, 1):
        return "Enabled" if value else "Disabled"
    return value if isinstance(value, bool) else integer(value)


def _without_the_cpus_boot_mode(settings: dict[str, Any], questions: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Here "Boot Mode" is about the processor's clock. It stays among the raw values, under a name that says so."""
    for item in questions:
        title: Optional[str] = text(item.get("Title"))
        if title == "Boot Mode" and title in settings and "Performance" in str(item.get("Valid Value"))[:1000]:
            settings["CPU Boot Mode"] = settings.pop(title)
    return settings
