"""Packages put where Python finds them, as an installer leaves them: modules with a `.dist-info` beside."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

EXAMPLE = Path(__file__).parent / "example_plugin"

EntryPoints = Mapping[str, Mapping[str, str]]
"""By group, and by name."""


def install_example(folder: Path) -> None:
    """Install `tests/example_plugin` as its pyproject.toml says."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copytree(EXAMPLE / "trunkline_banner", folder / "trunkline_banner")
    _write_metadata(folder, project["name"], project["version"], project["entry-points"])


def install(folder: Path, package: str, entry_points: EntryPoints, **modules: str) -> None:
    """Install a package of these modules, given as their source."""
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)
    _write_metadata(folder, package, "1.0", entry_points)


def _write_metadata(folder: Path, package: str, version: str, entry_points: EntryPoints) -> None:
    info = folder / f"{package.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    lines = []
    for group, entries in entry_points.items():
        lines += [f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
