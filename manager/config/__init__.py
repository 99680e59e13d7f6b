"""The settings file: TOML in, validated settings out, or every mistake at once.

`file` reads it, `connections` knows the tables and their names, `section` reads one table, `installed` knows
what other packages bring, `positions` the lines; `mistakes` says what is wrong, `sample` is an annotated
example of everything, and `migration` makes a file of settings of before.
"""

from __future__ import annotations

from manager.config.connections import clashes
from manager.config.file import Configuration, load
from manager.config.mistakes import ConfigError, Mistake
from manager.config.sample import example
from manager.places import default_path

__all__ = ["ConfigError", "Configuration", "Mistake", "clashes", "default_path", "example", "load"]
