"""What a processor's description says of its speed."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.cli import run

from winepress_shared.errors import WinepressError
from winepress_worker.commands import models
from winepress_worker.processor import is_quick_at_8_bits
