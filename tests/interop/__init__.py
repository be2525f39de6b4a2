"""Comparison of the original SDK with ours, against our service. Run it with ``python tests/interop/run.py``."""
