"""The HTTP service that stores settings and rules; install it with ``heksherlite[service]``."""

from heksherlite.service.embedded import EmbeddedService, embedded

__all__ = ["EmbeddedService", "embedded"]
