# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Everything that the collection and the service share: the standard library only, Python 3.9 or newer.

The directory ships twice from one copy: inside the collection (below ``module_utils``, imported relatively) and as the
package ``fleetcore`` of the wheel.
"""

from __future__ import annotations

__version__ = "0.1.0"
