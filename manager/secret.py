"""Secrets: where they come from, and the one type that holds them.

A secret is named by a reference and read anew for each login, so a rotated one is picked up without a
restart. What is read lives in a `Secret`, whose every textual form is `***`.
"""

from __future__ import annotations

import asyncio
import hmac
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, NoReturn

import msgspec

MASK = "***"
_COMMAND_TIMEOUT = 10.0
_MAX_BYTES = 64 * 1024


class SecretUnavailableError(Exception):
    """A secret could not be read. The message says why, never what was read."""


class Secret:
    """A value that is never shown: `repr`, `str` and `format` give `***`, and it cannot be pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


class SecretSource(msgspec.Struct, frozen=True):
    """Where a secret is read from: exactly one of the four is set."""

    plain: Secret | None = None
    env: str | None = None
    file: Path | None = None
    command: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        given = [self.plain, self.env, self.file, self.command]
        if sum(source is not None for source in given) != 1:
            raise ValueError("a secret has exactly one source")

    def __str__(self) -> str:
        """Name the source without its value, as settings are shown."""
        if self.env is not None:
            return f"env {self.env}"
        if self.file is not None:
            return f"file {self.file}"
        if self.command is not None:
            return f"command {self.command[0]}"
        return MASK

    def version(self) -> object:
        """Return a value that changes when a secret in a file or the environment is replaced."""
        if self.env is not None:
            return hash(os.environ.get(self.env))
        if self.file is not None:
            try:
                status = self.file.expanduser().stat()
            except OSError:
                return None
            return status.st_mtime_ns, status.st_size, status.st_ino
        return self.plain

    async def read(self) -> Secret:
        """Read the secret now; one trailing line end is not part of it.

        Raises:
            SecretUnavailableError: the variable, file or command gave none (10 s, 64 KiB at most).
        """
        if self.plain is not None:
            return self.plain
        if self.env is not None:
            return _from_environment(self.env)
        if self.file is not None:
            return await asyncio.to_thread(_from_file, self.file)
        assert self.command is not None  # noqa: S101 - the invariant of __post_init__
        return await _from_command(self.command)


def _from_environment(name: str) -> Secret:
    value = os.environ.get(name)
    if not value:
        raise SecretUnavailableError(f"the environment variable {name} is not set")
    return Secret(value)


def _from_file(path: Path) -> Secret:
    try:
        with path.expanduser().open("rb") as stream:
            content = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SecretUnavailableError(f"cannot read {path}: {error.strerror}") from None
    return _from_bytes(content, str(path))


async def _from_command(command: tuple[str, ...]) -> Secret:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as answer:
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=asyncio.subprocess.DEVNULL,
                process_group=0,
            )
        except OSError as error:
            raise SecretUnavailableError(f"cannot run {command[0]}: {error.strerror}") from None
        finally:
            os.close(writing)
        try:
            async with asyncio.timeout(_COMMAND_TIMEOUT):
                content = await _all_of(answer)
                code = await process.wait()
        except BaseException as error:
            await _end(process)
            if isinstance(error, TimeoutError):
                raise SecretUnavailableError(f"{command[0]} gave no answer in 10 s") from None
            raise
    if code != 0:
        raise SecretUnavailableError(f"{command[0]} ended with code {code}")
    return _from_bytes(content, command[0])


async def _all_of(answer: BinaryIO) -> bytes:
    """Return what comes through a pipe until its end, cut to one byte more than a secret may have.

    The pipe is ours and not the subprocess module's, whose `wait` lasts as long as anybody holds the other
    end, be it a process that the command has left behind.
    """
    stream = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), answer
    )
    try:
        content = await stream.read(_MAX_BYTES + 1)
        while chunk := await stream.read(_MAX_BYTES):
            content = (content + chunk)[: _MAX_BYTES + 1]
    finally:
        transport.close()
    return content


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill a command with all that it has started and that still belongs to it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def _from_bytes(content: bytes, source: str) -> Secret:
    if len(content) > _MAX_BYTES:
        raise SecretUnavailableError(f"{source} gave more than 64 KiB")
    try:
        value = content.decode()
    except UnicodeDecodeError:
        raise SecretUnavailableError(f"{source} gave text that is not UTF-8") from None
    value = value.removesuffix("\n").removesuffix("\r")
    if not value:
        raise SecretUnavailableError(f"{source} gave an empty secret")
    return Secret(value)
