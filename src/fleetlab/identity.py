# SPDX-License-Identifier: BSD-2-Clause
"""The identity of a virtual machine, different from the next: serial, UUID, MAC addresses."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field

_NAMESPACE = uuid.UUID("6f1f64a4-8f0c-5c3e-9a53-1d3b8a6f2c10")
_PLACEHOLDER = re.compile(rb"@\{([a-z]+)\}")


@dataclass(frozen=True)
class Identity:
    """The values of one BMC's placeholders; the same index and name always give the same.

    - `@{serial}`: serial of the machine; trees make part serials by adding to it
    - `@{hex}`: 6 hexadecimal digits, for WWNs and the like
    - `@{uuid}`: a UUID without its last 4 digits, which the tree adds (one per node)
    - `@{mac}`: the first 5 bytes of a locally administered MAC address, the tree adds the sixth
    - `@{name}`: the name of the BMC
    - `@{username}`: the name of its account
    """

    index: int
    name: str
    username: str
    values: dict[bytes, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        digits = f"{self.index:06x}"
        values = {
            "serial": f"FL{self.index + 1:06d}",
            "hex": digits,
            "uuid": str(uuid.uuid5(_NAMESPACE, str(self.index)))[:-4],
            "mac": f"02:f1:{digits[:2]}:{digits[2:4]}:{digits[4:]}",
            "name": self.name,
            "username": self.username,
        }
        object.__setattr__(
            self, "values", {name.encode(): json.dumps(value)[1:-1].encode() for name, value in values.items()}
        )

    def fill_in(self, text: bytes) -> bytes:
        """Replace the placeholders. Unknown ones stay."""
        if b"@{" not in text:
            return text
        return _PLACEHOLDER.sub(lambda hit: self.values.get(hit[1], hit[0]), text)
