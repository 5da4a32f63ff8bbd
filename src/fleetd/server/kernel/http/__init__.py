# SPDX-License-Identifier: BSD-2-Clause
"""HTTP: errors, limits, proxies, streams."""
