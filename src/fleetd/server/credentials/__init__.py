# SPDX-License-Identifier: BSD-2-Clause
"""Logins of BMCs, encrypted, with an audit."""
