# SPDX-License-Identifier: BSD-2-Clause

"""HTTP, and the client of the machine server."""
