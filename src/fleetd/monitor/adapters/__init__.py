# SPDX-License-Identifier: BSD-2-Clause
"""Adapters of the monitor: the machine it runs on, the server, the operator's command."""
