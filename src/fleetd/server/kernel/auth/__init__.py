# SPDX-License-Identifier: BSD-2-Clause
"""Who asks, and what they may do."""
