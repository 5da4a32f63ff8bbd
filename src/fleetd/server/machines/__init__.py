# SPDX-License-Identifier: BSD-2-Clause
"""Machines: what people and monitors say of them."""
