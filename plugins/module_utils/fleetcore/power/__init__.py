# SPDX-License-Identifier: BSD-2-Clause

"""Switches machines. Each driver is a file that describes itself (``driver.py`` says how), and only acts and asks.

``attempts.py`` tries the drivers of a machine in its order, ``base.py`` retries and verifies, ``controllers.py`` says
who shares a controller. Third-party packages are imported when a driver is opened, guarded: it says what to install.
"""
