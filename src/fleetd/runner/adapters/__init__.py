# SPDX-License-Identifier: BSD-2-Clause
"""What the runner talks to: playbooks (here or on AWX), its journal on disk, the machine server."""
