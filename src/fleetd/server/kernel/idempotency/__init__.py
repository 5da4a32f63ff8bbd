# SPDX-License-Identifier: BSD-2-Clause
"""Requests that are done once, however often they arrive."""
