# SPDX-License-Identifier: BSD-2-Clause
"""Alembic's entry: the connection comes from ``fleetd.server.kernel.migrate``, which also owns the transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    transactional_ddl=False,  # the caller's transaction holds it all
)
context.run_migrations()
