# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Power over Redfish: sushy's model of the service over our own session.

sushy's own connector repeats POSTs after a broken connection and sends a refused password again; ours does neither, has one TLS
context, and can pin a certificate. What sushy knows (collections, actions, allowed values, vendors' gaps) is used as it is.
"""

from __future__ import annotations

import json
from typing import Any

from ..errors import BadResponse, FleetError, MissingDependency, Unsupported
from ..ports import BMC_ACTIONS, Clock, HttpResponse, PowerAction, PowerState
from ..redfish.service import Service, choose_system, refusal
from ..redfish.session import Session
from ..redfish.walker import candidates
from .driver import Driver, Options, Params, place
from .options import BmcOptions, bmc_options, check_system

try:
    import sushy
    from sushy import auth as sushy_auth
    from sushy import connector as sushy_connector
except ImportError:
    sushy = None

# The first one that the service allows is used.
_RESETS = {
    PowerAction.ON: ("On", "ForceOn"),
    PowerAction.OFF: ("ForceOff",),
    PowerAction.SHUTDOWN: ("GracefulShutdown",),
    PowerAction.RESET: ("ForceRestart", "PowerCycle", "FullPowerCycle"),
    PowerAction.NMI: ("Nmi",),
}
_OPTIONAL = (PowerAction.RESET, PowerAction.NMI)


class RedfishDriver:
    """:class:`fleetcore.ports.PowerDriver` for one ComputerSystem. Logs in at the first use; from then on ``actions`` has reset and
    nmi only where the BMC offers them. Those that switch on and off are asked for each time: some BMCs only list what fits the present
    state.

    :raises MissingDependency: sushy is not installed (from the constructor).
    """

    name = "redfish"
    actions = BMC_ACTIONS
    reads_state = True

    def __init__(self, options: BmcOptions, clock: Clock) -> None:
        if sushy is None:
            raise MissingDependency(
                "the Python package sushy is not installed where the module runs: pip install sushy", package="sushy"
            )
        self._options = options
        self._clock = clock
        self._session = Session(
            options.http(),
            clock,
            options.host,
            username=options.username,
            password=options.password,
            timeout=options.timeout,
        )
        self._opened = False
        self._system: Any = None

    def power_state(self) -> PowerState:
        system = self._find()
        self._call(lambda: system.refresh(force=True))
        value = str(getattr(system.power_state, "value", system.power_state) or "").lower()
        return {"on": PowerState.ON, "off": PowerState.OFF}.get(value, PowerState.UNKNOWN)

    def set_power(self, action: PowerAction) -> None:
        system = self._find()
        allowed = self._offered(system)
        value = next((item for item in _RESETS[action] if item in allowed), None)
        if value is None:
            raise Unsupported(
                f"{self._options.host}: the BMC does not offer {' or '.join(_RESETS[action])}; it offers "
                f"{', '.join(sorted(allowed)) or 'nothing'}",
                action=action.value,
                allowed=sorted(allowed),
            )
        self._call(lambda: system.reset_system(sushy.ResetType(value)))

    def close(self) -> None:
        """Log out. Idempotent."""
        self._session.close()

    # -- which system ------------------------------------------------------------------------------------------------------

    def _find(self) -> Any:
        if self._system is None:
            if not self._opened:
                self._session.open()
                self._opened = True
            system = self._call(self._choose)
            offered = self._offered(system)
            self.actions = BMC_ACTIONS - {item for item in _OPTIONAL if not offered.intersection(_RESETS[item])}
            self._system = system
        return self._system

    def _offered(self, system: Any) -> set[str]:
        """The values of ResetType; all that there are where the BMC does not say.

        :raises Unsupported: the system has no such action.
        """
        return {item.value for item in self._call(system.get_allowed_reset_system_values)}

    def _choose(self) -> Any:
        connector = _Connector(self._options, Service(self._session, self._clock, self._options.host))
        root = sushy.Sushy(self._options.base_url, auth=_NoAuth(), connector=connector)
        systems = root.get_system_collection().get_members()
        names = [(str(system.identity), system.path) for system in systems]
        able = candidates([system.json for system in systems])
        system = systems[choose_system(self._options.host, names, able, self._options.system)]
        check_system(self._options, system.json)
        return system

    def _call(self, function: Any) -> Any:
        """Call into sushy; its errors become ours."""
        try:
            return function()
        except FleetError:
            raise
        except sushy.exceptions.HTTPError as error:
            raise refusal(self._options.host, int(error.status_code), _words(error)) from error
        except sushy.exceptions.MissingActionError as error:
            raise Unsupported(f"{self._options.host}: the BMC can't do this over Redfish ({error})") from error
        except Exception as error:  # sushy reads attributes of any vendor's JSON without checking their types
            raise BadResponse(
                f"{self._options.host}: the BMC's answer can't be used ({type(error).__name__}: {str(error)[:200]})"
            ) from error


def _words(error: Any) -> str:
    """What the BMC said, without sushy's frame around it."""
    said = getattr(error, "detail", None) or str(error)
    return " ".join(str(said).split())[:300]


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


if sushy is not None:

    class _NoAuth(sushy_auth.AuthBase):  # type: ignore[misc]
        """The session is already logged in."""

        def _do_authenticate(self) -> None:
            return None

        def can_refresh_session(self) -> bool:
            return False

    class _Connector(sushy_connector.Connector):  # type: ignore[misc]
        def __init__(self, options: BmcOptions, service: Service) -> None:
            super().__init__(options.base_url)
            self._own = service

        def _op(
            self,
            method: str,
            path: str = "",
            data: Any = None,
            **_unused: Any,
        ) -> _Answer:
            body = json.dumps(data).encode() if data is not None else None
            answer = _Answer(self._own.send(method, path, body))
            sushy.exceptions.raise_for_response(method, path, answer)
            return answer


OPTIONS: Options = {
    "redfish_scheme": {
        "type": "str",
        "choices": ["https", "http"],
        "default": "https",
        "description": "V(http) is for BMCs without TLS. The password then crosses the network in clear.",
    },
    "redfish_port": {
        "type": "int",
        "description": "Port of the Redfish service. Default is V(443), or V(80) for V(http).",
    },
    "validate_certs": {
        "type": "bool",
        "default": True,
        "description": """
            Whether the certificate of the BMC is checked. V(false) accepts any certificate, also an attacker's.

            Better for self-signed certificates is O(fingerprint).
        """,
    },
    "ca_path": {
        "type": "path",
        "description": """
            File or directory with the CA certificates, in PEM format, that the BMC's certificate is checked against.
            Default is the system's.
        """,
    },
    "fingerprint": {
        "type": "str",
        "description": """
            SHA-256 fingerprint of the BMC's certificate in hexadecimal, colons allowed. Only that certificate is
            accepted, and no CA is needed.

            The message about an untrusted certificate shows the fingerprint.
        """,
    },
    "system": {
        "type": "str",
        "description": """
            Id of the ComputerSystem, for a BMC that has several behind it. Without it such a BMC is refused and the
            message lists the ids.
        """,
    },
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
