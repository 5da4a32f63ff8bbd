# SPDX-License-Identifier: BSD-2-Clause
"""Alembic's entry: the connection comes from ``fleetd.server.kernel.migrate``, which also owns the transaction."""

from alembic import context

from fleetd.server.kernel.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction holds it all
)
context.run_migrations()
