# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module and plugin that talks to the machine server shares: its options and the client made of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import env_fallback

from .fleetcore.errors import InvalidInput
from .fleetcore.host.clock import SystemClock
from .fleetcore.net.client import ServerClient
from .fleetcore.net.http import HttpClient, HttpOptions

MAX_BODY_BYTES = 512 * 1024 * 1024  # the inventory of 10,000 machines has about 10 MB

# Documented by doc_fragments/server.py.
SERVER: dict[str, Any] = {
    "server_url": {"type": "str", "required": True, "fallback": (env_fallback, ["FLEETD_URL"])},
    "server_token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["FLEETD_TOKEN"])},
    "server_ca_path": {"type": "path"},
    "server_fingerprint": {"type": "str"},
    "server_validate_certs": {"type": "bool", "default": True},
    "server_timeout": {"type": "float", "default": 30},
}
# The same for modules that do without a server too.
SERVER_OPTIONS: dict[str, Any] = {**SERVER, "server_url": {**SERVER["server_url"], "required": False}}


def server_client(options: Mapping[str, Any]) -> ServerClient:
    """The client for the ``server_*`` options; nothing is sent yet. The caller closes it.

    :raises InvalidInput: an option can't be used.
    """
    url = (options["server_url"] or "").strip()
    if not url:
        raise InvalidInput(
            "server_url is empty: give the machine server's address there or as FLEETD_URL", field="server_url"
        )
    timeout = options["server_timeout"]
    if timeout <= 0:
        raise InvalidInput(f"server_timeout: {timeout:g} is not more than 0 seconds", field="server_timeout")
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
    return ServerClient(http, SystemClock(), url, token=options["server_token"])
