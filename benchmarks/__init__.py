"""Measures heksherlite against its targets and its peers: see ``benchmarks/README.md``."""
