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
from collections.abc import Callable, Mapping
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
    value: T = _builder(typing.cast(Any, hint))(json.loads(text))
    return value


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


_Builder = Callable[[Any], Any]


def _as_is(value: Any) -> Any:
    return value


@cache
def _builder(hint: Any) -> _Builder:  # noqa: PLR0911 - one return per kind of type
    """A function that makes a value of that type out of JSON data; :func:`_as_is` if that is JSON data already."""
    origin = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = _builder(next(item for item in arguments if item is not type(None)))
        return _as_is if inner is _as_is else lambda value: None if value is None else inner(value)
    if origin is tuple:
        item = _builder(arguments[0])
        return tuple if item is _as_is else lambda value: tuple(map(item, value))
    if origin is not None:  # a mapping
        item = _builder(arguments[1])
        return _as_is if item is _as_is else lambda value: {key: item(entry) for key, entry in value.items()}
    if dataclasses.is_dataclass(hint):
        return _dataclass_builder(typing.cast(type, hint))
    if hint is datetime:
        return datetime.fromisoformat
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return hint
    return _as_is


def _dataclass_builder(cls: type) -> _Builder:
    builders = {name: _builder(hint) for name, hint in typing.get_type_hints(cls).items()}

    def build(value: Mapping[str, Any]) -> Any:
        return cls(**{key: builders[key](entry) for key, entry in value.items() if key in builders})

    return build
