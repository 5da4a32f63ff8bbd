# SPDX-License-Identifier: BSD-2-Clause
"""Forgetting what is old."""
