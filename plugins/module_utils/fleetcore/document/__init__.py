# SPDX-License-Identifier: BSD-2-Clause

"""The device document: its model, and what is made of it. Pure."""
