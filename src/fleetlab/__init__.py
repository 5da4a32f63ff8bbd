# SPDX-License-Identifier: BSD-2-Clause
"""Virtual BMCs to try and test things on: no part of a production install."""
