# SPDX-License-Identifier: BSD-2-Clause

"""Switches on by Wake-on-LAN: the last resort. Nothing answers the packet, so the machine itself is asked whether it
runs.
"""

from __future__ import annotations

import errno
import re
import socket

from ..errors import InvalidInput, Unreachable, Unsupported
from ..option import Options, Params, option
from ..ports import Clock, PowerAction, PowerState
from .driver import Driver

_MAC = re.compile(
    r"^([0-9a-f]{2})[:-]?([0-9a-f]{2})[:-]?([0-9a-f]{2})[:-]?([0-9a-f]{2})[:-]?([0-9a-f]{2})[:-]?([0-9a-f]{2})$"
)

_PROBE_SECONDS = 2.0

WAKE: Options = {
    "mac": option("str", "MAC address of the network port that listens.", required=True),
    "broadcast": option(
        "str",
        "Address to send to, for example the broadcast address of the machine's network.",
        default="255.255.255.255",
    ),
    "port": option("int", "UDP port to send to.", default=9),
    "source_address": option("str", "Own address to send from, which chooses the interface."),
    "count": option("int", "How many packets are sent.", default=3),
    "probe_host": option(
        "str",
        """
            Host name or IP address of the machine. Without it nobody can tell whether the machine runs, and the packets
            are sent each time.
        """,
    ),
    "probe_port": option(
        "int", "TCP port of C(probe_host) to connect to. A machine that refuses the connection runs, too.", default=22
    ),
}
"""How to wake one machine. Options of the module ``wake_on_lan``, too."""


def wake_options(params: Params) -> Params:
    """Check :data:`WAKE`, and write the MAC address in the usual way.

    :raises InvalidInput: ``details["field"]`` names the option.
    """
    found = _MAC.match(str(params["mac"]).strip().lower())
    if found is None:
        raise InvalidInput.of("mac", f"{params['mac']!r} is not a MAC address")
    mac = ":".join(found.groups())
    if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise InvalidInput.of("mac", f"{mac} is not the address of one machine")
    for name in ("port", "probe_port"):
        if params.get(name) is not None and not 0 < int(params[name]) < 65536:
            raise InvalidInput.of(name, f"{params[name]} is not a port from 1 to 65535")
    if int(params["count"]) < 1:
        raise InvalidInput.of("count", "at least one packet has to be sent")
    return {**params, "mac": mac}


def magic_packet(mac: str) -> bytes:
    """Make the packet: six bytes of ones, then the address 16 times."""
    return b"\xff" * 6 + bytes.fromhex(mac.replace(":", "")) * 16


class WakeOnLanDriver:
    """A power driver that can only switch on. The state is ON or UNKNOWN: silence says nothing."""

    name = "wake_on_lan"
    actions = frozenset({PowerAction.ON})

    def __init__(self, options: Params, clock: Clock) -> None:
        self._options = options
        self.reads_state = bool(options.get("probe_host"))
        self._clock = clock

    def power_state(self) -> PowerState:
        if not self.reads_state:
            return PowerState.UNKNOWN
        try:
            place = (self._options["probe_host"], int(self._options["probe_port"]))
            socket.create_connection(place, _PROBE_SECONDS).close()
        except ConnectionRefusedError:
            return PowerState.ON
        except OSError:
            return PowerState.UNKNOWN
        return PowerState.ON

    def set_power(self, action: PowerAction) -> None:
        if action is not PowerAction.ON:
            raise Unsupported(f"Wake-on-LAN can only switch on, not {action.value}", action=action.value)
        packet = magic_packet(self._options["mac"])
        source = self._options.get("source_address")
        target = (self._options["broadcast"], int(self._options["port"]))
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                if source:
                    sender.bind((source, 0))
                for number in range(int(self._options["count"])):
                    if number:
                        self._clock.sleep(0.1)
                    sender.sendto(packet, target)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise InvalidInput.of("source_address", f"{source} is not an address of this host") from error
            raise Unreachable(f"{target[0]}: the packet can't be sent ({error.strerror or error})") from error

    def close(self) -> None:
        """Nothing is kept open."""


DRIVER = Driver(
    name="wake_on_lan",
    order=20,
    options={"wake_on_lan": option("dict", "For the driver V(wake_on_lan), which can only switch on.", options=WAKE)},
    check=lambda params: wake_options(params["wake_on_lan"]),
    open=WakeOnLanDriver,
)
