# SPDX-License-Identifier: BSD-2-Clause
"""Fields of requests on /api/v1: texts, ids and JSON, checked completely before a use case sees them."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from fleetd.server.kernel.ids import ID_RULE, is_machine_id

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_DEPTH = 32  # far below what Python's own JSON can write
_BYTES = 16_384


def no_control(value: str) -> str:
    """:raises ValueError: there are control characters or lone surrogates."""
    if CONTROL.search(value):
        raise ValueError("must not contain control characters")
    return value


def _machine_id(value: str) -> str:
    if not is_machine_id(value):
        raise ValueError(f"can't name a machine: use {ID_RULE}")
    return value


def small_json(value: dict[str, Any]) -> dict[str, Any]:
    """The value, if it is JSON that can be kept.

    :raises ValueError: it is too large, too deep, or no JSON.
    """
    level: list[Any] = [value]
    for _depth in range(_DEPTH):
        level = [part for item in level for part in (item.values() if isinstance(item, dict) else item)]
        level = [part for part in level if isinstance(part, dict | list)]
    if level:
        raise ValueError(f"must not be nested deeper than {_DEPTH} levels")
    try:
        size = len(json.dumps(value, allow_nan=False))
    except ValueError:
        raise ValueError("must be JSON: NaN and Infinity are not") from None
    if size > _BYTES:
        raise ValueError(f"must not be larger than {_BYTES} bytes of JSON")
    return value


MachineId = Annotated[str, AfterValidator(_machine_id)]
PathId = Annotated[str, AfterValidator(lambda value: value.replace("%2F", "/"))]
"""A machine's id that is one segment of a path: its slashes come as %2F, see ``middleware.EncodedSlashes``."""
Data = Annotated[dict[str, Any], AfterValidator(small_json)]
EventKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$", max_length=64)]
Text = Annotated[str, StringConstraints(max_length=4096), AfterValidator(no_control)]
Short = Annotated[
    str, StringConstraints(min_length=1, max_length=255, strip_whitespace=True), AfterValidator(no_control)
]
Words = Annotated[str, AfterValidator(no_control), StringConstraints(max_length=255)]
Id = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(no_control)]
FencingToken = Annotated[int, Field(ge=1, le=2**62)]
CredentialName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$")]


class Body(BaseModel):
    """The body of a request. Unknown fields are errors, so that a typing mistake is not silently nothing."""

    model_config = ConfigDict(extra="forbid", strict=True)
