# SPDX-License-Identifier: BSD-2-Clause
"""The log of events."""
