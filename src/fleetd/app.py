# SPDX-License-Identifier: BSD-2-Clause
"""Composition root: puts adapters, services and the API together. Nothing but this and the command line names adapters."""

from __future__ import annotations
