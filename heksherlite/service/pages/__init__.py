"""The pages on which operators approve or deny applications: HTML without scripts."""
