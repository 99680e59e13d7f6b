"""Take all pictures anew: `python -m tests.tui.pictures`. None is written that does not say what it must."""

from __future__ import annotations

import os
import sys

import pytest

if __name__ == "__main__":
    os.environ["TRUNKLINE_PICTURES"] = "anew"
    sys.exit(pytest.main(["-q", "tests/tui/test_pictures.py"]))
