from __future__ import annotations

from pathlib import Path

import pytest

from manager.config import ConfigError, Configuration, Mistake, load


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes, mode: int = 0o600) -> Path:
        path = tmp_path / "config.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    return write


@pytest.fixture
def read(write):
    def read(text: str, mode: int = 0o600) -> Configuration:
        return load(write(text, mode))

    return read


@pytest.fixture
def mistakes(write):
    def mistakes(text: str | bytes, mode: int = 0o600) -> tuple[Mistake, ...]:
        path = write(text, mode)
        with pytest.raises(ConfigError) as caught:
            load(path)
        return caught.value.mistakes

    return mistakes


@pytest.fixture
def mistake(mistakes):
    def mistake(text: str | bytes, mode: int = 0o600) -> Mistake:
        (only,) = mistakes(text, mode)
        return only

    return mistake
