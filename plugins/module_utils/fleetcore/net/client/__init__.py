# SPDX-License-Identifier: BSD-2-Clause

"""The machine server's REST client, one file for each resource of its API: a module ships only those that it needs.

``/api/v1`` is our own, ``/json/v1`` is spoken by other machine servers too. ``server.py`` has all of them in one class.
"""
