# SPDX-License-Identifier: BSD-2-Clause

"""Clock, files, locks and spool of the machine that this runs on."""
