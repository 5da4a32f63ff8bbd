# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Power-on by Wake-on-LAN: the last resort. Nothing answers the packet, so the machine itself is asked whether it is there."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from ..errors import InvalidInput, Unreachable, Unsupported
from ..ports import Clock, PowerAction, PowerState

_MAC = re.compile(
    r"^([0-9a-f]{2})[:-]?([0-9a-f]{2})[:-]?([0-9a-f]{2})[:-]?([0-9a-f]{2})[:-]?([0-9a-f]{2})[:-]?([0-9a-f]{2})$"
)


@dataclass(frozen=True)
class WakeOptions:
    """:ivar probe: host and TCP port that answer once the machine runs; a refused connection is an answer too."""

    mac: str
    broadcast: str = "255.255.255.255"
    port: int = 9
    source: Optional[str] = None
    count: int = 3
    probe: Optional[tuple[str, int]] = None
    probe_timeout: float = 2.0


def wake_options(params: Mapping[str, Any]) -> WakeOptions:
    """The options of ``wake_on_lan``, checked.

    :raises InvalidInput: ``details["field"]`` names the option.
    """
    found = _MAC.match(str(params["mac"]).strip().lower())
    if found is None:
        raise InvalidInput(f"mac: {params['mac']!r} is not a MAC address", field="mac")
    mac = ":".join(found.groups())
    if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise InvalidInput(f"mac: {mac} is not the address of one machine", field="mac")
    for name in ("port", "probe_port"):
        if params.get(name) is not None and not 0 < int(params[name]) < 65536:
            raise InvalidInput(f"{name}: {params[name]} is not a port from 1 to 65535", field=name)
    if int(params["count"]) < 1:
        raise InvalidInput("count: at least one packet has to be sent", field="count")
    host = params.get("probe_host")
    return WakeOptions(
        mac=mac,
        broadcast=params["broadcast"],
        port=int(params["port"]),
        source=params.get("source_address"),
        count=int(params["count"]),
        probe=(host, int(params["probe_port"])) if host else None,
    )


def magic_packet(mac: str) -> bytes:
    """Six bytes of ones, then the address 16 times."""
    return b"\xff" * 6 + bytes.fromhex(mac.replace(":", "")) * 16


class WakeOnLanDriver:
    """:class:`fleetcore.ports.PowerDriver` that can only switch on. The state is ON or UNKNOWN: silence says nothing."""

    name = "wake_on_lan"
    actions = frozenset({PowerAction.ON})

    def __init__(self, options: WakeOptions, clock: Clock) -> None:
        self._options = options
        self.reads_state = options.probe is not None
        self._clock = clock

    def power_state(self) -> PowerState:
        if self._options.probe is None:
            return PowerState.UNKNOWN
        try:
            socket.create_connection(self._options.probe, self._options.probe_timeout).close()
        except ConnectionRefusedError:
            return PowerState.ON
        except OSError:
            return PowerState.UNKNOWN
        return PowerState.ON

    def set_power(self, action: PowerAction) -> None:
        if action is not PowerAction.ON:
            raise Unsupported(f"Wake-on-LAN can only switch on, not {action.value}", action=action.value)
        packet = magic_packet(self._options.mac)
        target = (self._options.broadcast, self._options.port)
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                if self._options.source:
                    sender.bind((self._options.source, 0))
                for number in range(self._options.count):
                    if number:
                        self._clock.sleep(0.1)
                    sender.sendto(packet, target)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise InvalidInput(
                    f"source_address: {self._options.source} is not an address of this host", field="source_address"
                ) from error
            raise Unreachable(f"{target[0]}: the packet can't be sent ({error.strerror or error})") from error

    def close(self) -> None:
        """Nothing is kept open."""
