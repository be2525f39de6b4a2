"""The HTTP service that stores settings and rules; install it with ``heksherlite[service]``."""

from heksherlite.service.domain.limits import Limits
from heksherlite.service.embedded import EmbeddedService, embedded
from heksherlite.service.options import AccessOptions

__all__ = ["AccessOptions", "EmbeddedService", "Limits", "embedded"]
