# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Collecting from a whole fleet in one process.

===============  ===========================================================================================
``engine.py``    targets -> collections, so many at once; stop; what is said on the way and at the end
``delivery.py``  documents on their way to the machine server: a short queue, batches, the spool
``done.py``      which machines are done, in a file, for resuming
``dump.py``      what a document is compared with, as files
===============  ===========================================================================================
"""
