"""Programs that tests start as processes of their own, and tests of several processes."""
