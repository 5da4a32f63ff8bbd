# SPDX-License-Identifier: GPL-3.0-or-later
"""What all folders below share: they can import `warm`, and their HTTP clients are patient."""

from __future__ import annotations

from httpx._config import DEFAULT_TIMEOUT_CONFIG

# Five seconds by default, which a busy machine can't promise.
for phase in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, phase, 60.0)
