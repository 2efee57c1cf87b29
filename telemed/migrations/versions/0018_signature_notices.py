"""People are told of transfer logs that wait for their signature."""

from alembic import op

from telemed.migrations.checks import allow_values

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change the tables."""
    allow_values(op.get_bind(), "notice", "noticekind", "kind", "signature_due")
