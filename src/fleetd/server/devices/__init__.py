# SPDX-License-Identifier: BSD-2-Clause
"""Device documents, their history, findings, components."""
