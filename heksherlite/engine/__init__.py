"""The logic of a client, without I/O. Flows yield requests and receive responses.

Nothing in this package imports an HTTP library, an event loop or a clock.
"""
