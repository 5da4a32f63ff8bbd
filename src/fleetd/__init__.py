# SPDX-License-Identifier: BSD-2-Clause
"""The machine server, which owns all state, and the runner, which polls it for work."""

__version__ = "0.1.0"
