"""What a client does, without I/O: requests are handed out, responses are handed in.

Nothing in this package imports an HTTP library, an event loop or a clock.
"""
