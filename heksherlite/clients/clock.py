"""The clock that the age of values is measured with."""

import sys
import time

if hasattr(time, "CLOCK_BOOTTIME"):

    def now() -> float:
        """Return seconds of a clock that cannot be set, and that goes on while the machine is suspended."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

elif sys.platform == "darwin":

    def now() -> float:
        """Return seconds of a clock that cannot be set, and that goes on while the machine is suspended."""
        return time.clock_gettime(time.CLOCK_MONOTONIC)  # unlike time.monotonic() there

else:
    now = time.monotonic
