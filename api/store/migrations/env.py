"""Alembic's door: runs on the connection that it is handed, in that connection's transaction."""

from alembic import context

from api.store.database.tables import Owned

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Owned.metadata
)
context.run_migrations()
