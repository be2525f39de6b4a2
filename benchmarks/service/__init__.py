"""What the service costs beside its database; ``python benchmarks/service/run.py``."""
