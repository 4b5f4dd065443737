"""The signature of a webhook's call: made here, and checked by whoever receives it.

The receiver knows by it that the call comes from who shares the secret, that nobody changed the body, and that it is
no old call sent again.
"""

import hashlib
import hmac

from ecg.errors import EcgStreamError

TIMESTAMP_HEADER = "X-Ecgstream-Timestamp"
SIGNATURE_HEADER = "X-Ecgstream-Signature"
PUBLISHED_HEADER = "X-Ecgstream-Published"
KEY_HEADER = "Idempotency-Key"
WINDOW_S = 300  # so far may two clocks differ, and so long may a call be under way


class SignatureError(EcgStreamError):
    """A call that is not to be believed."""


def sign(secret: str, *, timestamp_s: int, body: bytes) -> str:
    """The signature of a call: ``v1=`` and the HMAC-SHA256 over ``timestamp.body`` in hexadecimal.

    Parameters
    ----------
    secret : shared with the receiver
    timestamp_s : when the call is sent, s UTC since 1970
    body : as sent
    """
    digest = hmac.new(secret.encode(), f"{timestamp_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"v1={digest}"


def verify(
    secret: str, *, timestamp: str | None, signature: str | None, body: bytes, now_s: float, window_s: float = WINDOW_S
) -> None:
    """Believe a call, or refuse it.

    Parameters
    ----------
    secret : shared with the sender
    timestamp, signature : the two headers as they came; None where they did not
    body : as it came, before anything decodes it
    now_s : the receiver's time, s UTC since 1970
    window_s : how far the timestamp may be from it, s

    Raises
    ------
    SignatureError : when a header is missing or none, the signature is not of this body, or the call is old
    """
    if timestamp is None or signature is None:
        raise SignatureError(f"{TIMESTAMP_HEADER} or {SIGNATURE_HEADER} is missing: the call is not signed")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        raise SignatureError(f"{TIMESTAMP_HEADER} is not a number of seconds since 1970")
    expected = sign(secret, timestamp_s=int(timestamp), body=body)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise SignatureError(f"{SIGNATURE_HEADER} is not of this body and secret")
    if abs(now_s - int(timestamp)) > window_s:
        raise SignatureError(
            f"the call was signed {now_s - int(timestamp):.0f} s ago, at most {window_s:g} s may lie between: "
            "it is an old one, or a clock is wrong"
        )
