# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ties modules and plugins to the machine server: options, client, run. Private to this collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Callable, Optional, TypeVar

from ._boundary import run
from .fleetcore.errors import InvalidInput, NotFound
from .fleetcore.host.clock import SystemClock
from .fleetcore.net.client.base import Api
from .fleetcore.net.http import HttpClient, HttpOptions
from .fleetcore.option import Options, option
from .fleetcore.ports import Plan

A = TypeVar("A", bound=Api)
T = TypeVar("T")

MAX_BODY_BYTES = 512 * 1024 * 1024  # the inventory of 10,000 machines has about 10 MB

SERVER: Options = {
    "server_url": option(
        "str", "Address of the machine server, V(https://host[:port]).", required=True, env="FLEETD_URL"
    ),
    "server_token": option(
        "str",
        "Token for the machine server. C(fleetd token create) on the server makes one.",
        no_log=True,
        env="FLEETD_TOKEN",
    ),
    "server_ca_path": option(
        "path",
        """
            File or directory with the CA certificates, in PEM format, that the server's certificate is checked against.
            Default is the system's.
        """,
    ),
    "server_fingerprint": option(
        "str",
        """
            SHA-256 fingerprint of the server's certificate in hexadecimal, colons allowed. It is then trusted without a
            CA.
        """,
    ),
    "server_validate_certs": option(
        "bool",
        "Whether the server's certificate is checked. V(false) accepts any certificate, also an attacker's.",
        default=True,
    ),
    "server_timeout": option("float", "Seconds to wait for each answer.", default=30),
}
SERVER_OPTIONS: Options = {**SERVER, "server_url": {**SERVER["server_url"], "required": False}}
"""Of modules that do without a server, too."""


def run_on_server(
    plan: Callable[[Any, Mapping[str, Any]], Plan],
    api: type[A],
    options: Options,
    *,
    required: bool = True,
    **kwargs: Any,
) -> None:
    """Run a module whose ``plan`` gets a client of the machine server and the module's options.

    :param api: the part of the server's API that the module needs: only that is shipped with it.
    :param required: False: without ``server_url`` the client is None.
    """

    def planned(params: Mapping[str, Any]) -> Plan:
        if not required and not params["server_url"]:
            return plan(None, params)
        client = server_client(params, api)
        try:
            return replace(plan(client, params), close=client.close)
        except BaseException:
            client.close()
            raise

    run(planned, {**options, **(SERVER if required else SERVER_OPTIONS)}, **kwargs)


def if_there(read: Callable[[], T]) -> Optional[T]:
    """Return what ``read`` returns, or None if the server does not have it."""
    try:
        return read()
    except NotFound:
        return None


def server_client(options: Mapping[str, Any], api: type[A]) -> A:
    """Make the client for the ``server_*`` options; nothing is sent yet. The caller closes it.

    :raises InvalidInput: an option can't be used.
    """
    url = (options["server_url"] or "").strip()
    if not url:
        raise InvalidInput(
            "server_url is empty: give the machine server's address there or as FLEETD_URL", field="server_url"
        )
    timeout = options["server_timeout"]
    if timeout <= 0:
        raise InvalidInput.of("server_timeout", f"{timeout:g} is not more than 0 seconds")
    http = HttpClient(
        HttpOptions(
            base_url=url,
            ca_path=options["server_ca_path"] or None,
            fingerprint=options["server_fingerprint"] or None,
            validate_certs=options["server_validate_certs"],
            timeout=timeout,
            max_body_bytes=MAX_BODY_BYTES,
            option_prefix="server_",
        )
    )
    return api(http, SystemClock(), url, token=options["server_token"])
