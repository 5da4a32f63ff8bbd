# SPDX-License-Identifier: BSD-2-Clause

"""IPMI over LAN before a login: ASF presence (DSP0136 section 3.2.4) and the channel's authentication capabilities
(IPMI 2.0 section 22.13). Bytes in, values out; anything else that comes is None.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional, Union

PORT = 623
_ASF_HEADER = bytes([0x06, 0x00, 0xFF, 0x06])  # RMCP 1.0, no acknowledgement, class ASF
_IPMI_HEADER = bytes([0x06, 0x00, 0xFF, 0x07])
_ASF_IANA = (4542).to_bytes(4, "big")
_PING, _PONG = 0x80, 0x40
_BMC, _CONSOLE = 0x20, 0x81
_APP_REQUEST, _APP_RESPONSE = 0x06 << 2, 0x07 << 2
_GET_CAPABILITIES = 0x38
_THIS_CHANNEL, _EXTENDED = 0x0E, 0x80
_ADMINISTRATOR = 0x04
_AUTH_TYPES = {0: "none", 1: "md2", 2: "md5", 4: "password", 5: "oem"}


@dataclass(frozen=True)
class Pong:
    """Presence Pong: ``ipmi`` says whether IPMI is supported, ``enterprise`` is an IANA number (4542: none in
    particular).
    """

    ipmi: bool
    enterprise: int
    tag: int = 0


@dataclass(frozen=True)
class Capabilities:
    """Get Channel Authentication Capabilities.

    :ivar completion: completion code; unless 0, nothing else was said.
    :ivar versions: of IPMI that the channel speaks, ``1.5`` and ``2.0``.
    :ivar anonymous_login: a user without a name and without a password may log in.
    :ivar null_usernames: a user without a name may log in, with a password.
    :ivar per_message_authentication, user_authentication: False where the BMC does without (IPMI 1.5).
    :ivar kg_set: a BMC key is set, that RMCP+ logins need too; None for IPMI 1.5.
    :ivar oem: IANA number of the maker of its own authentication type; 0: none.
    """

    completion: int
    channel: int = 0
    versions: tuple[str, ...] = ()
    authentication: tuple[str, ...] = ()
    anonymous_login: bool = False
    null_usernames: bool = False
    named_users: bool = False
    per_message_authentication: bool = True
    user_authentication: bool = True
    kg_set: Optional[bool] = None
    oem: int = 0
    oem_data: int = field(default=0, repr=False)


def presence_ping(tag: int = 0) -> bytes:
    return _ASF_HEADER + _ASF_IANA + bytes([_PING, tag & 0xFF, 0, 0])


def capabilities_request(sequence: int = 1, extended: bool = True) -> bytes:
    """Make the question for the channel's authentication capabilities.

    :param extended: ask for the IPMI 2.0 answer; some IPMI 1.5 BMCs refuse that.
    """
    channel = _THIS_CHANNEL | (_EXTENDED if extended else 0)
    head = bytes([_BMC, _APP_REQUEST])
    body = bytes([_CONSOLE, (sequence & 0x3F) << 2, _GET_CAPABILITIES, channel, _ADMINISTRATOR])
    message = head + _checksum(head) + body + _checksum(body)
    return _IPMI_HEADER + bytes(9) + bytes([len(message)]) + message  # no authentication, no session


def decode(data: bytes) -> Union[Pong, Capabilities, None]:
    """Decode an answer to one of the two requests; None for anything else."""
    if len(data) < 5 or data[0] != _IPMI_HEADER[0]:
        return None
    if data[3] == _ASF_HEADER[3]:
        return _pong(data)
    if data[3] == _IPMI_HEADER[3]:
        return _capabilities(data)
    return None


def _pong(data: bytes) -> Optional[Pong]:
    if len(data) < 22 or data[4:8] != _ASF_IANA or data[8] != _PONG or data[11] < 10:
        return None
    entities = data[20]
    return Pong(ipmi=bool(entities & 0x80), enterprise=int.from_bytes(data[12:16], "big"), tag=data[9])


def _capabilities(data: bytes) -> Optional[Capabilities]:
    if len(data) < 14 or data[4] != 0:
        return None
    message = data[14 : 14 + data[13]]
    if len(message) != data[13] or len(message) < 8 or sum(message[:3]) & 0xFF or sum(message[3:]) & 0xFF:
        return None
    if message[0] != _CONSOLE or message[1] & 0xFC != _APP_RESPONSE or message[5] != _GET_CAPABILITIES:
        return None
    completion, said = message[6], message[7:-1]
    if completion or len(said) < 4:
        return Capabilities(completion or 0xFF)
    channel, types, status, extended = said[:4]
    has_extended = bool(types & 0x80)
    versions: tuple[str, ...] = ("1.5",)
    if has_extended:
        versions = tuple(name for bit, name in ((1, "1.5"), (2, "2.0")) if extended & bit)
    return Capabilities(
        completion=0,
        channel=channel & 0x0F,
        versions=versions,
        authentication=tuple(name for bit, name in _AUTH_TYPES.items() if types >> bit & 1),
        anonymous_login=bool(status & 0x01),
        null_usernames=bool(status & 0x02),
        named_users=bool(status & 0x04),
        user_authentication=not status & 0x08,
        per_message_authentication=not status & 0x10,
        kg_set=bool(status & 0x20) if has_extended else None,
        oem=int.from_bytes(said[4:7], "little") if len(said) >= 7 else 0,
        oem_data=said[7] if len(said) >= 8 else 0,
    )


def facts(pong: Optional[Pong], capabilities: Optional[Capabilities]) -> Optional[dict[str, Any]]:
    """Join what both say into plain data; None if it is not IPMI that answered."""
    out: dict[str, Any] = {}
    if pong is not None and pong.ipmi:
        out["asf_enterprise"] = pong.enterprise
    if capabilities is not None and capabilities.completion == 0:
        for name, value in vars(capabilities).items():
            if name not in ("completion", "oem", "oem_data") and value is not None:
                out[name] = list(value) if isinstance(value, tuple) else value
        out["oem_enterprise"] = capabilities.oem
    elif capabilities is not None:
        out.update(versions=[], completion_code=capabilities.completion)
    return out or None


def _checksum(data: bytes) -> bytes:
    return bytes([-sum(data) & 0xFF])
