"""``python -m router.cli``: the same as ``handover``."""

from router.cli import main

main()
