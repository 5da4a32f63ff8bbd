# SPDX-License-Identifier: BSD-2-Clause
"""Domain values to JSON text and back, driven by their type hints.

Reading is lenient so that replicas of two versions can share a database: unknown fields are dropped, missing ones get
their defaults.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def dumps(value: Any) -> str:
    """JSON text of a domain value; only ASCII, so that every database can keep it.

    :raises ValueError: a float that JSON does not have.
    """
    return json.dumps(value, default=_plain, separators=(",", ":"), allow_nan=False)


def loads(hint: type[T], text: str) -> T:
    """The value of type ``hint`` that :func:`dumps` was given."""
    value: T = _build(hint, json.loads(text))
    return value


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _build(hint: Any, value: Any) -> Any:  # noqa: PLR0911 - one return per kind of type
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
        origin = typing.get_origin(hint)
    if origin is tuple:
        item = typing.get_args(hint)[0]
        return tuple(_build(item, entry) for entry in value)
    if origin is not None:  # a mapping
        item = typing.get_args(hint)[1]
        return {key: _build(item, entry) for key, entry in value.items()}
    if dataclasses.is_dataclass(hint):
        hints = _hints(typing.cast(type, hint))
        return typing.cast(type, hint)(
            **{key: _build(hints[key], entry) for key, entry in value.items() if key in hints}
        )
    if hint is datetime:
        return datetime.fromisoformat(value)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint(value)
    return value
