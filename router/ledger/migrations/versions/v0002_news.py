"""What plugins are still to be told: columns that a program of before leaves alone, and their index."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_UNTOLD = sa.text("news_due IS NOT NULL")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add them; all may be null, so that nothing is rewritten."""
    op.add_column("handovers", sa.Column("news", sa.Text))
    for name in ("news_due", "news_since"):
        op.add_column("handovers", sa.Column(name, _TIME))
    op.create_index("handovers_news", "handovers", ["news_due"], sqlite_where=_UNTOLD, postgresql_where=_UNTOLD)
