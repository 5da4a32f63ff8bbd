# SPDX-License-Identifier: BSD-2-Clause
"""What every capability of the server stands on."""
