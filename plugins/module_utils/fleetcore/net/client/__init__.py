# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The machine server's REST client, one file for each resource of its API: who needs one ships one.

``/api/v1`` is our own, ``/json/v1`` is spoken by other machine servers too. ``server.py`` has all of them in one class.
"""
