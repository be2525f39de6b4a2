"""Every exception that heksherlite raises by itself.

::

    HeksherError
    ├── NoMatchError            no rule matches and there is no default value   (also a LookupError)
    ├── MissingContextError     a context feature has neither argument nor default (also a RuntimeError)
    ├── ServiceAnswerError      the service answered with something that is not the protocol
    └── TypeStringError         a wire type such as ``Enum[1]`` is malformed    (also a ValueError)

An unreachable service, or one that answers with an error status, is an :class:`httpx.HTTPError`.
"""


class HeksherError(Exception):
    """The base of every exception of this package."""


class TypeStringError(HeksherError, ValueError):
    """A wire type, such as ``Enum[1,2]``, could not be parsed."""
