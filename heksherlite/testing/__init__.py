"""Help for tests of programs that use settings, with pytest, unittest or anything else."""

from heksherlite.testing.overrides import Overrides, Undo, context, override
from heksherlite.testing.strictness import strict

__all__ = ["Overrides", "Undo", "context", "override", "strict"]
