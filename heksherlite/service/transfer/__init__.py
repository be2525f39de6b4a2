"""All settings with their rules, on the way out of a database or into one."""
