# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Reads the hardware of one machine, or of a whole fleet in one process.

===============  =============================================================================================
``collect.py``   one machine: its hardware from its BMC, over the first driver that can, or from a capture
``engine.py``    targets -> collections, so many at once; stop; what is said on the way and at the end
``delivery.py``  documents on their way to the machine server: a short queue, batches, the spool
``done.py``      which machines are done, in a file, for resuming
``dump.py``      what a document is compared with, as files
===============  =============================================================================================
"""
