"""What responses to queries consist of: entity tags, bodies, and the cache of bodies."""
