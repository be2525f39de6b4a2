"""Other libraries, configured from facts. Each has a file of its own, and an extra of the same name."""
