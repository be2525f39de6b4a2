"""Whether a missing context feature is an error in tests without a client."""

from contextlib import AbstractContextManager, ExitStack

from heksherlite import contexts


def strict(*, enabled: bool = True) -> AbstractContextManager[object]:
    """Make :meth:`Setting.get <heksherlite.Setting.get>` require every context feature before there is a main client.

    Without a main client, ``get`` usually accepts missing context features, because it returns the default anyway. In
    production there is a client, and a missing feature raises an error. Call this function in ``conftest.py``, so that
    a test without a client finds such a mistake, too; with pytest, ``heksher_strict = true`` in its configuration does
    the same. If the client of the program has defaults of context features, use :func:`context`, or a stub with
    ``set_defaults``.

    Args:
        enabled: ``False`` to accept missing features again.

    Returns:
        A context manager that restores the previous behaviour at its end. It need not be entered.
    """
    previous = contexts.require_without_client(enabled)
    restore = ExitStack()
    restore.callback(contexts.require_without_client, previous)
    return restore
