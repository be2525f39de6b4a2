"""The HTTP API: one file per resource, over the decisions of the domain."""
