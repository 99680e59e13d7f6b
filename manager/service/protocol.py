"""JSON-RPC 2.0 (jsonrpc.org/specification) without IO: bytes to requests, answers to bytes.

What a newer side adds is ignored by an older one. Batches are refused: a WebSocket keeps its messages apart
by itself, and answers come in the order in which they are ready.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from manager import errors
from manager.errors import TrunklineError

PARSE_ERROR, INVALID_REQUEST, UNKNOWN_METHOD, INVALID_PARAMS, INTERNAL_ERROR = (
    -32700, -32600, -32601, -32602, -32603,
)  # fmt: skip
REFUSED = -32000
"""The manager says no; `data.kind` names which error of `manager.errors` it is, `data.hint` what to do."""

RequestId = int | float | str | None


class ErrorData(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of an error beside its sentence."""

    kind: str = ""
    hint: str = ""


class ErrorObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was not carried out."""

    code: int
    message: str
    data: ErrorData = ErrorData()


class RpcError(Exception):
    """A request that is answered with an error."""

    def __init__(self, code: int, message: str, data: ErrorData | None = None) -> None:
        super().__init__(message)
        self.error = ErrorObject(code, message, data or ErrorData())


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that one side asks of the other; one without `id` wants no answer (a notification)."""

    jsonrpc: Literal["2.0"]
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    id: RequestId | msgspec.UnsetType = msgspec.UNSET


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """What a message from the service says: an answer to a request, or a notification with a `method`."""

    id: RequestId = None
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: ErrorObject | None = None
    method: str = ""
    params: msgspec.Raw = msgspec.Raw(b"{}")


_requests = msgspec.json.Decoder(Request)
_responses = msgspec.json.Decoder(Response)
_encoder = msgspec.json.Encoder()


def read_request(frame: bytes) -> Request:
    """Return the request that a message holds.

    Raises:
        RpcError: it is no JSON, or no request.
    """
    try:
        return _requests.decode(frame)
    except msgspec.ValidationError as error:
        raise RpcError(INVALID_REQUEST, f"no request of JSON-RPC 2.0: {error}") from None
    except (msgspec.DecodeError, RecursionError):
        raise RpcError(PARSE_ERROR, "no JSON") from None


def read_response(frame: bytes) -> Response:
    """Return the answer or notification that a message of the service holds.

    Raises:
        ValueError: it is neither.
    """
    try:
        return _responses.decode(frame)
    except (msgspec.DecodeError, RecursionError):
        raise ValueError("the service does not speak JSON-RPC 2.0") from None


def read_params(params: msgspec.Raw, kind: type[msgspec.Struct]) -> Any:
    """Return the parameters of a request as a struct of `kind`.

    Raises:
        RpcError: they do not fit.
    """
    try:
        return msgspec.json.decode(params, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise RpcError(INVALID_PARAMS, f"parameters: {error}") from None


def request(method: str, params: object, number: int | None) -> bytes:
    """Return a request; a notification, which is not answered, where it has no number."""
    raw = msgspec.Raw(_encoder.encode(params))
    identity = msgspec.UNSET if number is None else number
    return _encoder.encode(Request(jsonrpc="2.0", method=method, params=raw, id=identity))


def result(identity: RequestId, value: object) -> bytes:
    """Return the answer to a request that was carried out."""
    return _encoder.encode({"jsonrpc": "2.0", "id": identity, "result": value})


def failure(identity: RequestId, error: RpcError) -> bytes:
    """Return the answer to a request that was not."""
    return _encoder.encode({"jsonrpc": "2.0", "id": identity, "error": error.error})


def notification(method: str, params: object) -> bytes:
    """Return a message that nobody asked for just now."""
    return _encoder.encode({"jsonrpc": "2.0", "method": method, "params": params})


def rpc_error_of(error: Exception) -> RpcError:
    """Return how an error of the manager is told to the other side."""
    if isinstance(error, RpcError):
        return error
    if isinstance(error, TrunklineError):
        return RpcError(REFUSED, error.summary, ErrorData(type(error).__name__, error.hint))
    if isinstance(error, ValueError):
        return RpcError(INVALID_PARAMS, str(error))
    return RpcError(INTERNAL_ERROR, "something is wrong inside; the log of the service says more")


def error_of(told: ErrorObject) -> Exception:
    """Return the error that the other side was told of, of the class that it has there where we know that."""
    if told.code == INVALID_PARAMS:
        return ValueError(told.message)
    kind = getattr(errors, told.data.kind, None)
    if not isinstance(kind, type) or not issubclass(kind, TrunklineError):
        kind = TrunklineError
    found: Exception = kind(told.message, told.data.hint)
    return found
