"""Runs migrations on the connection that the bank hands over, in its transaction; needs no ini file."""

from alembic import context

from fedprompt.bank.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
