"""Programs that declare, change rules and read at once. Run it with ``python tests/stress/run.py``."""
