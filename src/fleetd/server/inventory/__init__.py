# SPDX-License-Identifier: BSD-2-Clause
"""The inventory for Ansible."""
