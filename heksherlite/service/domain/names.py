"""What names may look like. Everything is matched in full: no trailing newline slips through."""

import re

CONTEXT_FEATURE_NAME = re.compile(r"[a-zA-Z_0-9]+")
CONTEXT_FEATURE_VALUE = re.compile(r"[\w.@+=~/-]+")
"""Wide enough for e-mail addresses, UUIDs, host names and paths; ``\\w`` is any letter or digit, or ``_``."""
SETTING_NAME = re.compile(r"[a-zA-Z_0-9.]+")
METADATA_KEY = re.compile(r"[a-zA-Z0-9_-]+")
