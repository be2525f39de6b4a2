"""Typed settings whose values depend on context and change while a program runs."""

from typing import TYPE_CHECKING, Any

from heksherlite._version import __version__
from heksherlite.engine.options import TRACK_ALL
from heksherlite.errors import HeksherError, MissingContextError, NoMatchError, ServiceAnswerError
from heksherlite.setting import Setting
from heksherlite.setting_types import (
    Conversion,
    HeksherEnum,
    HeksherFlags,
    HeksherMapping,
    HeksherSequence,
    SettingType,
    setting_type,
)
