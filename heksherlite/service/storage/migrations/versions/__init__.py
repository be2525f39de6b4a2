"""One migration per file; alembic finds them by their ``revision`` and ``down_revision``."""
