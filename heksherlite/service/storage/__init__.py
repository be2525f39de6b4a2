"""Where settings and rules are kept: SQL tables, and the catalog in memory that follows them."""
