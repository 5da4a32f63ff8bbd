# SPDX-License-Identifier: BSD-2-Clause

"""The hardware as the machine's own operating system knows it."""
