# SPDX-License-Identifier: BSD-2-Clause

"""Reads the hardware of one machine, or of a whole fleet in one process.

===============  ===========================================================================================
``engine.py``    targets -> collections, so many at once; stop; what is said on the way and at the end
``collect.py``   the hardware of one machine, from its BMC or from a capture
``delivery.py``  documents on their way to the machine server: a short queue, batches, the spool
``done.py``      which machines are done, in a file, for resuming
``dump.py``      what a document is compared with, as files
===============  ===========================================================================================
"""
