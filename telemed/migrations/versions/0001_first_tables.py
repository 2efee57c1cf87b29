"""The first tables."""

from alembic import op

from telemed.migrations import all_metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create every table."""
    all_metadata().create_all(op.get_bind())
