"""Faults between a client and its service: real ones, on real sockets."""
