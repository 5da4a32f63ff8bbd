# SPDX-License-Identifier: BSD-2-Clause
"""What the runner runs playbooks with, and where it writes down what it does."""
