"""Run by alembic: bring the database of the given connection up to date, inside the transaction that is open."""

from alembic import context

from router.ledger.migration import VERSIONS

context.configure(connection=context.config.attributes["connection"], version_table=VERSIONS.name)
context.run_migrations()
