"""The pages of the console, one module for each subject."""

from typing import Final

from heksherlite.service.console.views import (
    access,
    bulk,
    compare,
    compare_contexts,
    compare_file,
    draft,
    editing,
    events,
    explain,
    features,
    history,
    proposals,
    service,
    setting,
    settings,
    start,
)

CONSOLE: Final = (
    start,
    settings,
    setting,
    editing,
    bulk,
    draft,
    explain,
    history,
    proposals,
    compare,
    compare_contexts,
    compare_file,
    features,
    access,
    service,
    events,
)
"""The modules with the routes of the console."""
