# SPDX-License-Identifier: BSD-2-Clause
"""The wire of /json/v1 and /_/."""
