# SPDX-License-Identifier: BSD-2-Clause
"""Built-in Redfish trees of machines that nobody makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fleetlab.tree import Resource
from fleetlab.trees.multinode import multinode
from fleetlab.trees.server import server

BUILTIN: Mapping[str, Callable[[], dict[str, Resource]]] = {"server": server, "multinode": multinode}
