# SPDX-License-Identifier: BSD-2-Clause
"""Code that the programs share."""
