"""The signature of a webhook: believed when it is right, and never else."""

import hashlib
import hmac

import hypothesis
import pytest
from hypothesis import strategies as st

from alerting.delivery.signature import SignatureError, sign, verify

SECRET = "a-secret-of-many-characters"
NOW_S = 1_800_000_000


def test_the_signature_is_the_documented_one() -> None:
    expected = hmac.new(SECRET.encode(), b'1800000000.{"a": 1}', hashlib.sha256).hexdigest()
    assert sign(SECRET, timestamp_s=NOW_S, body=b'{"a": 1}') == f"v1={expected}"


@hypothesis.given(body=st.binary(max_size=40), other=st.binary(max_size=40), late_s=st.integers(-300, 300))
def test_only_the_body_that_was_signed_is_believed(body: bytes, other: bytes, late_s: int) -> None:
    signature = sign(SECRET, timestamp_s=NOW_S, body=body)
    verify(SECRET, timestamp=str(NOW_S), signature=signature, body=body, now_s=NOW_S + late_s)
    if other != body:
        with pytest.raises(SignatureError, match="not of this body"):
            verify(SECRET, timestamp=str(NOW_S), signature=signature, body=other, now_s=NOW_S)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"secret": "another-secret-of-many"}, "not of this body and secret"),
        ({"timestamp": str(NOW_S + 1)}, "not of this body and secret"),
        ({"signature": "v0=00"}, "not of this body and secret"),
        ({"signature": "\u00e9"}, "not of this body and secret"),
        ({"timestamp": None}, "is missing: the call is not signed"),
        ({"signature": None}, "is missing: the call is not signed"),
        ({"timestamp": "soon"}, "not a number of seconds"),
        ({"timestamp": "\u0661\u0662"}, "not a number of seconds"),
        ({"timestamp": "-5"}, "not a number of seconds"),
        ({"timestamp": "9" * 5000}, "not a number of seconds"),
        ({"now_s": NOW_S + 301}, "signed 301 s ago, at most 300 s"),
        ({"now_s": NOW_S - 301}, "signed -301 s ago, at most 300 s"),
    ],
)
def test_anything_else_is_refused(changes: dict[str, object], expected: str) -> None:
    call: dict[str, object] = {
        "secret": SECRET,
        "timestamp": str(NOW_S),
        "signature": sign(SECRET, timestamp_s=NOW_S, body=b"x"),
        "body": b"x",
        "now_s": NOW_S,
    }
    with pytest.raises(SignatureError, match=expected):
        verify(**(call | changes))  # type: ignore[arg-type] # of the types that verify takes, by name
