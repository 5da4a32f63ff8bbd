# SPDX-License-Identifier: BSD-2-Clause

"""Power over Redfish: the machine is found and looked at through ``redfish.service``, and switched by sushy.

sushy's own connector repeats POSTs after a broken connection and sends a refused password again. So sushy works over
our session, and is handed what was read already: it sends the action, nothing else. It costs half a second of CPU to
import, and is imported when there is something to be done.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from typing import Any, Optional

from ..errors import AuthenticationFailed, BadResponse, FleetError, MissingDependency, SessionLimit, Unsupported
from ..option import Options, Params, option
from ..ports import BMC_ACTIONS, Clock, HttpResponse, PowerAction, PowerState
from ..redfish.actions import action_target
from ..redfish.answers import refusal
from ..redfish.service import Service
from ..redfish.session import Session
from ..redfish.systems import RESET
from ..redfish.values import last_part
from ..redfish.wants import ROOT
from .driver import Driver, place
from .options import BmcOptions, bmc_options, check_system

# The first one that the service allows is used.
_RESETS = {
    PowerAction.ON: ("On", "ForceOn"),
    PowerAction.OFF: ("ForceOff",),
    PowerAction.SHUTDOWN: ("GracefulShutdown",),
    PowerAction.RESET: ("ForceRestart", "PowerCycle", "FullPowerCycle"),
    PowerAction.NMI: ("Nmi",),
}
_OPTIONAL = (PowerAction.RESET, PowerAction.NMI)


def open_service(options: BmcOptions, clock: Clock, *, sessionless: bool = False) -> Service:
    """Log in over Redfish. The caller closes it.

    :param sessionless: where the BMC has no session left, do without one: by Basic authentication.
    :raises FleetError: as of :class:`fleetcore.redfish.session.Session`.
    """
    login = {"username": options.username, "password": options.password, "timeout": options.timeout}

    def opened(**more: Any) -> Service:
        session = Session(options.http(), clock, options.host, **login, **more)
        service = Service(session, clock, options.host, options.system)
        service.open()
        return service

    try:
        return opened()
    except SessionLimit as error:
        if not sessionless:
            raise
        try:
            return opened(basic=True)
        except AuthenticationFailed:
            raise error from None  # the password was not looked at before


class RedfishDriver:
    """A power driver of one ComputerSystem. Logs in at the first use.

    From then on ``actions`` has reset and nmi only where the BMC offers them. Those that switch on and off are looked
    up each time: some BMCs only list what fits the present state.

    :raises MissingDependency: sushy is not installed (from the constructor).
    """

    name = "redfish"
    actions = BMC_ACTIONS
    reads_state = True

    def __init__(self, options: BmcOptions, clock: Clock) -> None:
        if importlib.util.find_spec("sushy") is None:
            raise MissingDependency(
                "the Python package sushy is not installed where the module runs: pip install sushy", package="sushy"
            )
        self._options = options
        self._clock = clock
        self._service: Optional[Service] = None
        self._system: tuple[str, Mapping[str, Any]] = ("", {})

    def power_state(self) -> PowerState:
        """Ask the BMC for the state."""
        self._look()
        value = str(self._system[1].get("PowerState")).lower()
        return {"on": PowerState.ON, "off": PowerState.OFF}.get(value, PowerState.UNKNOWN)

    def set_power(self, action: PowerAction) -> None:
        """Reset the system in the first way of the action that it offers."""
        service = self._service or self._look()
        path, system = self._system
        offered = service.action_values(system, RESET, "ResetType")
        value = next((item for item in _RESETS[action] if item in offered or not offered), None)
        if value is None:
            raise Unsupported(
                f"{service.host}: the BMC does not offer {' or '.join(_RESETS[action])}; it offers "
                f"{', '.join(sorted(offered))}",
                action=action.value,
                allowed=sorted(offered),
            )
        _reset(service, path, system, value)

    def left_out(self) -> tuple[str, ...]:
        """Words for the systems that did not answer, and were left out when one was chosen."""
        return self._service.left_out() if self._service is not None else ()

    def is_alone(self) -> bool:
        """Whether the machine is the only one behind its BMC; false while nobody knows."""
        return self._service is not None and self._service.is_alone()

    def close(self) -> None:
        """Log out. Idempotent."""
        if self._service is not None:
            self._service.close()

    def _look(self) -> Service:
        """Read the system, after logging in and finding it the first time."""
        service = self._service = self._service or open_service(self._options, self._clock)
        path, system = service.system()
        if action_target(system, RESET) is None:
            raise Unsupported(f"{service.host}: the BMC can't reset the system {path}")
        if not self._system[0]:
            check_system(self._options, system)
            offered = service.action_values(system, RESET, "ResetType")
            refused = [item for item in _OPTIONAL if offered and not set(offered).intersection(_RESETS[item])]
            self.actions = BMC_ACTIONS.difference(refused)
        self._system = path, system
        return service


def _reset(service: Service, path: str, system: Mapping[str, Any], value: str) -> None:
    """Let sushy carry out ComputerSystem.Reset. Its errors become ours.

    :raises MissingDependency: sushy can't be imported.
    """
    try:
        import sushy  # noqa: PLC0415
        from sushy.auth import AuthBase  # noqa: PLC0415
        from sushy.connector import Connector  # noqa: PLC0415
    except ImportError as error:
        raise MissingDependency(f"the Python package sushy can't be imported: {error}", package="sushy") from error

    class NoAuth(AuthBase):  # type: ignore[misc]
        """Nothing to do: the session is logged in."""

        def _do_authenticate(self) -> None:
            return None

        def can_refresh_session(self) -> bool:
            return False

    class OurConnector(Connector):  # type: ignore[misc]
        """Answers with what was read already; all else goes over our session."""

        def _op(self, method: str, path: str = "", data: Any = None, **_unused: Any) -> _Answer:
            known = {ROOT: service.root, system_path: system}.get(path.rstrip("/")) if method == "GET" else None
            if known is not None:
                known = {"Id": last_part(path), **known}  # sushy refuses what has none
                return _Answer(HttpResponse(200, {}, json.dumps(known).encode()))
            response = service.send(method, path, json.dumps(data).encode() if data is not None else None)
            if response.status >= 400:
                raise refusal(service.host, response, path)
            return _Answer(response)

    system_path = path
    try:
        root = sushy.Sushy(f"https://{service.host}", auth=NoAuth(), connector=OurConnector(service.host))
        root.get_system(path).reset_system(sushy.ResetType(value))
    except FleetError:
        raise
    except Exception as error:  # sushy reads attributes of any vendor's JSON without checking their types
        raise BadResponse(
            f"{service.host}: the BMC's answer can't be used ({type(error).__name__}: {str(error)[:200]})"
        ) from error


class _Answer:
    """An HTTP answer with the face of requests.Response that sushy looks at."""

    def __init__(self, response: HttpResponse) -> None:
        self.status_code = response.status
        self.headers = dict(response.headers)
        self.content = response.body
        self.text = response.body.decode("utf-8", "replace")
        self.ok = response.status < 400

    def json(self) -> Any:
        return json.loads(self.content)


OPTIONS: Options = {
    "redfish_scheme": option(
        "str",
        "V(http) is for BMCs without TLS. The password then crosses the network in clear.",
        choices=["https", "http"],
        default="https",
    ),
    "redfish_port": option("int", "Port of the Redfish service. Default is V(443), or V(80) for V(http)."),
    "validate_certs": option(
        "bool",
        """
            Whether the certificate of the BMC is checked. V(false) accepts any certificate, also an attacker's.

            Better for self-signed certificates is O(fingerprint).
        """,
        default=True,
    ),
    "ca_path": option(
        "path",
        """
            File or directory with the CA certificates, in PEM format, that the BMC's certificate is checked against.
            Default is the system's.
        """,
    ),
    "fingerprint": option(
        "str",
        """
            SHA-256 fingerprint of the BMC's certificate in hexadecimal, colons allowed. Only that certificate is
            accepted, and no CA is needed.

            The message about an untrusted certificate shows the fingerprint.
        """,
    ),
    "system": option(
        "str",
        """
            Id of the ComputerSystem, for a BMC that has several behind it. Without it such a BMC is refused and the
            message lists the ids.
        """,
    ),
}


def _controllers(params: Params) -> tuple[str, ...]:
    options = bmc_options(params)
    return (place("bmc", options.host, options.redfish_port),)


DRIVER = Driver(
    name="redfish",
    order=10,
    options=OPTIONS,
    check=bmc_options,
    open=RedfishDriver,
    controllers=_controllers,
    needs_bmc=True,
    apart=("redfish_port", "system"),
    requires="sushy (for power over Redfish)",
)
