"""The clients: the I/O around the engine."""
