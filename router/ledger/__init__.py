"""The ledger: one row a handover, one open swap a conversation."""
