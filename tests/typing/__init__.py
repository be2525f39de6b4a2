"""Programs for type checkers, which tests/sdk/test_typing.py runs."""
