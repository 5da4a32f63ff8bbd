# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Power drivers. A driver acts and asks (``ports.PowerDriver``); ``base.py`` retries and verifies; ``registry.py`` chooses.

Third-party packages are imported only here, guarded: without them the driver says what to install.
"""
