# SPDX-License-Identifier: BSD-2-Clause
"""What the monitor talks to: the machine it runs on, the server, the operator's command."""
