"""How a client starts, polls, and treats stale values."""

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, TypeAlias

from heksherlite.engine.health import ClientStatus

Startup: TypeAlias = Literal["require", "best-effort"]
OnStale: TypeAlias = Literal["keep", "default"] | Callable[[ClientStatus], Any]


@dataclass(frozen=True, slots=True)
class UpdatePolicy:
    """How a client starts, polls, and treats stale values.

    Attributes:
        update_interval: The seconds between updates that succeed.
        startup: What to do if the first update fails: ``"require"`` raises, ``"best-effort"`` continues.
        startup_timeout: The seconds after which the start counts as failed.
        max_staleness: The seconds without a successful update after which values are stale; ``None`` for never.
        on_stale: What happens then: ``"keep"`` keeps them, ``"default"`` returns to the defaults of the declarations
            until an update succeeds, a function is called once with the client's status.
        push: Whether to listen to the stream of changes, if the service offers one.

    Raises:
        TypeError: If seconds are not a number.
        ValueError: If an attribute is out of range.
    """

    update_interval: float
    startup: Startup
    startup_timeout: float
    max_staleness: float | None
    on_stale: OnStale
    push: bool

    def __post_init__(self) -> None:
        for name in ("update_interval", "startup_timeout", "max_staleness"):
            seconds = getattr(self, name)
            if seconds is None and name == "max_staleness":
                continue
            if isinstance(seconds, bool) or not isinstance(seconds, Real):
                raise TypeError(f"{name} is in seconds and must be a number such as 60, not {seconds!r}")
            if not float(seconds) > 0:
                raise ValueError(f"{name} is in seconds and must be more than 0, not {seconds!r}")
        if self.startup not in ("require", "best-effort"):
            raise ValueError(f"startup must be 'require' or 'best-effort', not {self.startup!r}")
        if self.on_stale not in ("keep", "default") and not callable(self.on_stale):
            raise ValueError(f"on_stale must be 'keep', 'default', or a function, not {self.on_stale!r}")
