"""The tests of the service: over real HTTP, on real SQLite files, with real processes."""
