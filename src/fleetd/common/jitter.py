# SPDX-License-Identifier: BSD-2-Clause
"""Spread what many programs do every so often."""

from __future__ import annotations


def jittered(seconds: float, random: float) -> float:
    """``seconds`` give or take a tenth, so that many programs don't ask at once. ``random`` is from 0 to 1."""
    return seconds * (0.9 + random / 5)
