# SPDX-License-Identifier: GPL-3.0-or-later
"""Here so that the tests in the folders below can import what they share: `warm`."""
