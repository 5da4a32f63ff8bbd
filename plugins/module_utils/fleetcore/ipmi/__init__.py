# SPDX-License-Identifier: BSD-2-Clause

"""Speaks IPMI: over the network (``session.py``) and through the kernel (``device.py``).

``fru.py``, ``sdr.py`` and ``sel.py`` read what a BMC stores, ``collector.py`` and ``answers.py`` make a document of it,
``capture.py`` records and replays.
"""
