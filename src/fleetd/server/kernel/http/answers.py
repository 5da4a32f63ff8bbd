# SPDX-License-Identifier: BSD-2-Clause
"""Answers of /api/v1: JSON and OpenAPI schemas of the model's dataclasses, and the errors that a route may give."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from types import GenericAlias
from typing import Any, Generic, TypeVar, cast, get_type_hints

from pydantic import BaseModel, ConfigDict, create_model

T = TypeVar("T")
Responses = dict[int | str, dict[str, Any]]


class ErrorBody(BaseModel):
    """What went wrong: ``code`` for programs, ``message`` for people."""

    code: str
    message: str
    details: dict[str, Any]


class Error(BaseModel):
    """The one shape of errors."""

    error: ErrorBody


_WORDS = {
    400: "Not JSON",
    401: "No valid token",
    403: "A token of a scope that may not do this",
    404: "No such machine, request or document",
    409: "It exists already, or was closed otherwise",
    412: "If-Match names another version",
    413: "The body is too large",
    415: "The body is not sent as application/json",
    422: "A field or parameter can't be used; details.field names it",
    429: "Too many failed logins from this address; Retry-After says how long to wait",
    431: "The headers are too large",
    503: "The database does not answer",
}


def errors(*codes: int) -> Responses:
    """The errors of a route: ``codes``, and those that every route may give."""
    more = (413, 415) if 400 in codes else ()  # what has a body
    every = (401, 403, 422, 429, 431, 503)
    return {code: {"model": Error, "description": _WORDS[code]} for code in (*every, *codes, *more)}


class Shape(Generic[T]):
    """How the values of a dataclass look in JSON. All that is not said otherwise follows from its fields.

    Names, types and words are those of the dataclass; times are RFC 3339 in UTC, enums their values.

    :param without: fields that are not shown.
    :param names: by field, its name in JSON where that is another one.
    :param also: by name, the type of what is shown beside the fields, or of a field that is shown otherwise. Properties
        of the dataclass have their value; of others :meth:`of` is given it.
    """

    def __init__(
        self,
        kind: type[T],
        *,
        without: Collection[str] = (),
        names: Mapping[str, str] | None = None,
        also: Mapping[str, Any] | None = None,
    ) -> None:
        names = names or {}
        hints = get_type_hints(kind, include_extras=True)
        shown = [item.name for item in dataclasses.fields(cast(Any, kind)) if item.name not in without]
        self._fields = {name: names.get(name, name) for name in shown}
        types = {**{wire: hints[name] for name, wire in self._fields.items()}, **(also or {})}
        self._fields |= {name: name for name in also or {} if hasattr(kind, name)}
        self.model: Any = _model(
            kind.__name__,
            types,
            __doc__=kind.__doc__,
            __config__=ConfigDict(json_schema_serialization_defaults_required=True),
        )

    def of(self, value: T | None, **also: Any) -> Any:
        """The value as an instance of :attr:`model`; ``also`` are the values of what is shown otherwise."""
        if value is None:
            return None
        fields = {wire: getattr(value, name) for name, wire in self._fields.items()}
        return self.model.model_construct(**{**fields, **also})

    def json(self, value: T, **also: Any) -> dict[str, Any]:
        """The value as JSON data."""
        data: dict[str, Any] = self.of(value, **also).model_dump(mode="json")
        return data

    def items(self, values: Iterable[T]) -> dict[str, Any]:
        """The values as JSON data of :func:`list_of`."""
        return {"items": [self.json(item) for item in values]}


def _model(name: str, types: Mapping[str, Any], **options: Any) -> Any:
    """A model whose fields are all there in every answer."""
    make: Any = create_model  # which can't be told that the types are known at run time only
    return make(name, **options, **{field: (hint, ...) for field, hint in types.items()})


def extended(shape: Shape[Any], name: str, **fields: Any) -> Any:
    """The model of ``shape`` with more fields."""
    return _model(name, fields, __base__=shape.model)


def many(model: Any) -> Any:
    """The type of a list of ``model``."""
    return GenericAlias(list, (model,))


def list_of(shape: Shape[Any]) -> Any:
    """The model ``{items}``."""
    return _model(f"{shape.model.__name__}List", {"items": many(shape.model)})


def page_of(shape: Shape[Any]) -> Any:
    """The model ``{items, next}``: ``next`` is the cursor of the next page, null on the last."""
    return _model(f"{shape.model.__name__}Page", {"items": many(shape.model), "next": str | None})
