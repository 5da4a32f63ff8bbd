# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Speaks IPMI: over the network (``session.py``) and through the kernel (``device.py``).

``fru.py``, ``sdr.py`` and ``sel.py`` read what a BMC stores, ``collector.py`` and ``answers.py`` make a document of it,
``capture.py`` records and replays.
"""
