# SPDX-License-Identifier: BSD-2-Clause

"""Everything that the collection and the service share: the standard library only, Python 3.9 or newer.

The directory ships twice from one copy: inside the collection (below ``module_utils``, imported relatively) and as the
package ``fleetcore`` of the wheel.
"""

from __future__ import annotations

__version__ = "0.1.0"
