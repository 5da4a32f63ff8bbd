# SPDX-License-Identifier: BSD-2-Clause
"""The demo: a server, a runner and virtual BMCs on this machine."""
