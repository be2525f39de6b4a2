"""The console: the pages on which people find, change, explain and undo what the API offers to programs."""
