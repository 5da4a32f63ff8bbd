# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all folders below share: their HTTP clients are patient."""

from __future__ import annotations

from httpx._config import DEFAULT_TIMEOUT_CONFIG

# Five seconds by default, which a busy machine can't promise.
for phase in ("connect", "read", "write", "pool"):
    setattr(DEFAULT_TIMEOUT_CONFIG, phase, 60.0)
