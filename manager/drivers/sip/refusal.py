"""What a final response that is no success means for trying again (RFC 3261 §21)."""

from __future__ import annotations

from manager.drivers.sip.message import REASONS, Response
from manager.model import Failure, FailureClass, Stage
from manager.text import quoted

MAX_RETRY_AFTER = 3600.0
"""Seconds; a registrar that asks for more is asked again all the same."""
_TRANSIENT = frozenset({408, 430, 477, 478, 480, 486, 491})
"""430 is a flow that failed (RFC 5626 §11.5); 477 and 478 are Kamailio's for a registrar it cannot reach."""


def failure_of_response(response: Response, stage: Stage) -> Failure:
    """Describe a refusal; the reason phrase of the peer is shown, cleaned and cut."""
    status = response.status
    phrase = quoted(response.reason, 60) or REASONS.get(status, "")
    said = f"{status} {phrase}".strip()
    asked = response.headers.number("Retry-After")
    retry_after = None if asked is None else min(float(asked), MAX_RETRY_AFTER)
    if status in (401, 403, 407):
        return Failure(
            kind=FailureClass.CREDENTIALS,
            stage=stage,
            reason=f"the registrar refuses us ({said})",
            hint="check username, password and aor, and that the account may register from here",
        )
    if status == 503 or retry_after is not None:
        return Failure(
            kind=FailureClass.OVERLOAD,
            stage=stage,
            reason=f"the registrar asks for patience ({said})",
            hint="it has too much to do, or is being maintained",
            retry_after=retry_after,
        )
    if status >= 500 or status in _TRANSIENT:
        return Failure(
            kind=FailureClass.TRANSIENT,
            stage=stage,
            reason=f"the registrar cannot now ({said})",
            hint="its log has the details",
        )
    if status == 404:
        return Failure(
            kind=FailureClass.PERMANENT,
            stage=stage,
            reason=f"the registrar does not know the address of record ({said})",
            hint="check aor",
        )
    if 300 <= status < 400:
        return Failure(
            kind=FailureClass.PERMANENT,
            stage=stage,
            reason=f"the registrar points elsewhere ({said})",
            hint="a redirect is not followed; set the endpoint that it names",
        )
    return Failure(
        kind=FailureClass.PERMANENT,
        stage=stage,
        reason=f"the registrar does not accept the registration ({said})",
        hint="its log says why",
    )
