# SPDX-License-Identifier: BSD-2-Clause

"""Refuses a machine that is not the one that is meant: addresses of BMCs move, cables and boards are swapped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from ..document.match import same_uuid
from ..document.values import serial_key
from ..errors import InvalidInput, WrongMachine
from ..option import Options, Params, option

OPTIONS: Options = {
    "expected_serial": option(
        "str",
        """
            Serial number of the machine that is meant. When the BMC is that of another machine, the module fails with
            the code V(wrong_machine) before anything is changed, also in check mode. It guards against addresses that
            have moved and boards that were swapped.

            Compared with the serial number and the service tag that the BMC reports over Redfish, or with those of
            system, chassis and board over IPMI, without case and punctuation. With O(expected_uuid) besides, one of the
            two has to agree.

            A BMC that reports nothing to compare with is not refused. Drivers that are no BMC have nothing to compare
            with.
        """,
    ),
    "expected_uuid": option(
        "str",
        """
            UUID of the machine that is meant, as SMBIOS has it, in either byte order. Used as O(expected_serial) is.
        """,
    ),
}
"""Of the modules that change something over a BMC."""

_UUID = re.compile(r"^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$")
# Of boards that nobody gave one: all zeros or ones, and what a maker of firmware left in its sample.
_NO_UUID = frozenset(["0" * 32, "f" * 32, "03000200040005000006000700080009", "00020003000400050006000700080009"])


@dataclass(frozen=True)
class Expected:
    """The machine that is meant, as far as it is known; false when nothing is."""

    serial: Optional[str] = None
    uuid: Optional[str] = None

    def __bool__(self) -> bool:
        return bool(self.serial or self.uuid)

    def __str__(self) -> str:
        words = (f"serial number {self.serial}" if self.serial else "", f"UUID {self.uuid}" if self.uuid else "")
        return ", ".join(word for word in words if word) or "nothing"


def expected_machine(params: Params) -> Expected:
    """Check the options ``expected_serial`` and ``expected_uuid``.

    :raises InvalidInput: a value that can't tell machines apart; ``details["field"]`` names the option.
    """
    serial, uuid = params.get("expected_serial"), params.get("expected_uuid")
    if serial is not None and not serial_key(str(serial)):
        raise InvalidInput.of(
            "expected_serial", f"{serial!r} is no serial number; leave the option out where none is known"
        )
    if uuid is not None and not _uuid_key(str(uuid)):
        raise InvalidInput.of(
            "expected_uuid", f"{uuid!r} is no UUID of a machine; leave the option out where none is known"
        )
    return Expected(*(None if value is None else str(value).strip() for value in (serial, uuid)))


def check_machine(host: str, expected: Expected, serials: Iterable[Optional[str]], uuid: Optional[str]) -> None:
    """Refuse a machine that is another one.

    One identity that agrees is enough: a new mainboard changes the other one at times. Where the controller tells none
    that could be compared, nothing is refused.

    :param serials: all that the controller says of the machine as a whole: system, chassis, board, service tag.
    :raises WrongMachine: what can be compared differs.
    """
    keys = {serial_key(value): value for value in serials if value and serial_key(value)}
    agree = []
    if expected.serial and keys:
        agree.append(serial_key(expected.serial) in keys)
    if expected.uuid and uuid and _uuid_key(uuid):
        agree.append(same_uuid(expected.uuid, uuid))
    if agree and not any(agree):
        found = Expected("/".join(dict.fromkeys(keys.values())) or None, uuid)
        raise WrongMachine(
            f"{host}: this is the BMC of another machine ({found}) than expected ({expected}); nothing was done. "
            "Correct the BMC's address, or expected_serial and expected_uuid if the machine was replaced",
            address=host,
            expected={"serial": expected.serial, "uuid": expected.uuid},
            found={"serials": list(keys.values()), "uuid": uuid},
        )


def _uuid_key(value: str) -> str:
    """Give the hexadecimal digits; none for what is no UUID or that of many machines."""
    text = value.strip().lower()
    digits = text.replace("-", "")
    return digits if _UUID.match(text) and digits not in _NO_UUID else ""
