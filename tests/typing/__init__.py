"""Programs for type checkers; tests/sdk/test_typing.py has them checked."""
