"""Alembic's entry: one history for both engines."""

from alembic import context
from sqlalchemy import Connection

from telemed.migrations import all_metadata


def run(connection: Connection) -> None:
    """Bring one database to the asked revision, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=all_metadata(),
        render_as_batch=connection.dialect.name == "sqlite",
        compare_type=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
