# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Redfish, from links to the device document.

=================  ========================================================================================================
``rules.py``       what is followed: which property of which kind of resource leads to what (data)
``quirks.py``      vendors' peculiarities (data): start here for the next one, and add a test with the bodies that show it
``walker.py``      which resources are needed next; sans-IO, bounded, each resource once
``topics/``        JSON of one kind of resource -> components; pure
``interpret.py``   all topics -> ``model.Device``, with the coverage
``session.py``     one login, GETs that don't raise, guaranteed logout
``collector.py``   live: the walker over a session, a few requests at a time
``capture.py``     replay: the walker over a recorded tree
``values.py``      reading untrusted JSON
=================  ========================================================================================================
"""
