# SPDX-License-Identifier: BSD-2-Clause
"""``python -m fleetd``: the same as the console script."""

from fleetd.cli import main

if __name__ == "__main__":
    main()
