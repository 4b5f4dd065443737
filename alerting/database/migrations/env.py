"""Alembic's entry point, on the connection and in the transaction that ``alerting.database.schema`` opened."""

from alembic import context

from alerting.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
