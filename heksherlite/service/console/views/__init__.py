"""The pages of the console, one module for each subject."""

from typing import Final

from heksherlite.service.console.views import events, setting, settings, start

CONSOLE: Final = (start, settings, setting, events)
"""The modules with the routes of the console."""
