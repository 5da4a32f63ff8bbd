# SPDX-License-Identifier: BSD-2-Clause

"""JSON of one kind of resource -> components of the device document.

Pure: each function takes the tree, and never raises.
"""
