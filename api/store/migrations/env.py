"""Alembic's door: runs on the connection that it is handed, in that connection's transaction."""

from alembic import context

from api.store.database.tables import OwnedRow

context.configure(
    connection=context.config.attributes["connection"], target_metadata=OwnedRow.metadata
)
context.run_migrations()
