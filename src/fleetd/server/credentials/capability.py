# SPDX-License-Identifier: BSD-2-Clause
"""Credentials of BMCs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fleetcore.errors import InvalidInput

from fleetd.server.credentials import tables
from fleetd.server.credentials.api import router
from fleetd.server.credentials.cipher import KeyRing, read_keys
from fleetd.server.credentials.service import Credentials
from fleetd.server.kernel.capability import Capability
from fleetd.server.kernel.retention import Kept, prune_rows


def _options(settings: Any) -> Mapping[str, Any]:
    """The keys that encrypt credentials; none without a key.

    :raises InvalidInput: a key or the file can't be used. :raises MissingDependency: see ``KeyRing``.
    """
    given = settings.credentials
    keys = [given.key.get_secret_value()] if given.key else []
    if given.key_file:
        keys += read_keys(given.key_file)
        if not keys:
            raise InvalidInput(
                f"credentials.key_file: {given.key_file} holds no key; `fleetd credential key` makes one"
            )
    return {"cipher": KeyRing(keys) if keys else None}


CAPABILITY = Capability(
    "credentials",
    lambda services, **options: Credentials(services.tx, services.clock, **options),
    options=_options,
    routers=(router,),
    events=("credential",),
    kept=(Kept("audit", timedelta(days=1095), prune_rows(tables.audit)),),
)
