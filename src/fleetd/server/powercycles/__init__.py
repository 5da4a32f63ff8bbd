# SPDX-License-Identifier: BSD-2-Clause
"""Power cycle requests."""
