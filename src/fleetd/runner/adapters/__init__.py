# SPDX-License-Identifier: BSD-2-Clause
"""Adapters of the runner: playbooks (here or on AWX), its journal on disk, the machine server."""
