"""What names may look like. Everything is matched in full: no trailing newline slips through.

Names have a limit because databases index them: PostgreSQL takes no more than 2704 bytes.
"""

import re

CONTEXT_FEATURE_NAME = re.compile(r"[a-zA-Z_0-9]{1,1000}")
CONTEXT_FEATURE_VALUE = re.compile(r"[\w.@+=~/-]+")
"""Wide enough for e-mail addresses, UUIDs, host names and paths; ``\\w`` is any letter or digit, or ``_``."""
SETTING_NAME = re.compile(r"[a-zA-Z_0-9.]{1,1000}")
METADATA_KEY = re.compile(r"[a-zA-Z0-9_-]+")
