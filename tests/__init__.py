"""The tests of heksherlite."""
