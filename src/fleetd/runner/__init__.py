# SPDX-License-Identifier: BSD-2-Clause
"""The runner: does the work that the server has for the machines of an inventory."""
