"""Other libraries, configured from facts. Each one has its own module, and an extra of the same name."""
