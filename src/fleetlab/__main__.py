# SPDX-License-Identifier: BSD-2-Clause
from fleetlab.cli import main

main()
