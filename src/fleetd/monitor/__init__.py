# SPDX-License-Identifier: BSD-2-Clause
"""The machine monitor: a small agent that reports its own machine to a machine server.

The server is ours or any that speaks ``/json/v1``.

``core`` decides, ``agent`` calls what is due; ``observe``, ``attached``, ``outbox``, ``documents``, ``follow`` and
``hook`` talk to the world.
"""
