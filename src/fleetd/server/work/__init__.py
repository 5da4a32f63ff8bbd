# SPDX-License-Identifier: BSD-2-Clause
"""Sessions, work and backoff."""
