# SPDX-License-Identifier: BSD-2-Clause

"""The JSON Schema of the device document, derived from the declarations of its records."""

from __future__ import annotations

import dataclasses
import enum
import re
import typing
from typing import Any

from .model import Device, hints_of, optional

SCHEMA_ID = "urn:baremetal.fleet:device:1"


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the device document; published as ``docs/schema/device.schema.json``."""
    definitions: dict[str, Any] = {}
    _define(Device, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": "Device document of baremetal.fleet",
        "$ref": "#/$defs/Device",
        "$defs": {name: definitions[name] for name in sorted(definitions)},
    }


def _define(cls: type, definitions: dict[str, Any]) -> dict[str, Any]:
    if cls.__name__ not in definitions:
        entry: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {}}
        definitions[cls.__name__] = entry
        if cls.__doc__ and not cls.__doc__.startswith(cls.__name__ + "("):
            entry["description"] = re.sub(r"\s+", " ", cls.__doc__).strip()
        for name, hint in hints_of(cls).items():
            entry["properties"][name] = _schema(hint, definitions)
    return {"$ref": f"#/$defs/{cls.__name__}"}


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    hint, _unused = optional(hint)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return {"type": "array", "items": _schema(typing.get_args(hint)[0], definitions)}
    if origin is not None:
        return {"type": "object", "additionalProperties": _schema(typing.get_args(hint)[1], definitions)}
    if hint is Any:
        return {}
    if dataclasses.is_dataclass(hint):
        return _define(typing.cast(type, hint), definitions)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return {"enum": [item.value for item in hint]}
    return {"type": {str: "string", bool: "boolean", int: "integer", float: "number"}[hint]}
