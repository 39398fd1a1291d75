"""Alembic's entry point: runs on a given connection, in its transaction."""

from alembic import context

from api.store.database.tables import OwnedRow

context.configure(
    connection=context.config.attributes["connection"], target_metadata=OwnedRow.metadata
)
context.run_migrations()
