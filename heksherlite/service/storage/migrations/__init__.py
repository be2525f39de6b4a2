"""The steps that bring a database of any earlier version to the newest schema, one per file."""
