"""The original SDK against our service, and beside our SDK. Run it with ``python tests/interop/run.py``."""
