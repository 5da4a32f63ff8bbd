# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""The machine monitor: a small agent that reports its own machine to a machine server.

The server is ours or any that speaks ``/json/v1``.

``core`` decides, ``agent`` calls what is due; ``observe``, ``outbox``, ``documents``, ``follow`` and ``hook`` talk to
the world.
"""
