"""The table of handovers and its indexes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_OPEN = sa.text("duty <> ''")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "handovers",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("conversation", "service")),
        sa.Column("created", _TIME, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("tool", "intent", "flow", "caller", "identity")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("key", "token", "success", "state", "outcome")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("reason", "message", "duty")),
        *(sa.Column(name, _TIME) for name in ("owed", "due")),
        *(sa.Column(name, sa.Integer, nullable=False) for name in ("attempts", "looks")),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("lease", _TIME),
        sa.Column("journal", sa.Text, nullable=False),
        sa.Column("taken", sa.Text),
        sa.Column("way", sa.Text),
        sa.Column("requests", sa.Text, nullable=False),
        *(sa.Column(name, _TIME) for name in ("updated", "accepted", "finished")),
    )
    op.create_index(
        "handovers_lock", "handovers", ["conversation"], unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.create_index("handovers_conversation", "handovers", ["conversation", "created"])
    op.create_index("handovers_due", "handovers", ["due"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("handovers_created", "handovers", ["created"])
