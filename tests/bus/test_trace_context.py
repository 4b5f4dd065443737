"""Trace contexts in headers: what goes on, and what does not."""

import pytest

from bus.interfaces import Headers
from bus.trace_context import MAX_STATE_BYTES, trace_context, trace_context_of

GOOD = ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
STATE = ("tracestate", b"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")


def test_a_context_is_found_among_other_headers() -> None:
    assert trace_context([("a", b"b"), STATE, GOOD]) == (GOOD, STATE)
    assert trace_context([GOOD]) == (GOOD,)
    assert trace_context([]) == ()


@pytest.mark.parametrize(
    "parent",
    [
        b"",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        GOOD[1].upper(),
        GOOD[1] + b"\n",
        b"ff" + GOOD[1][2:],
        b"00-" + b"0" * 32 + b"-00f067aa0ba902b7-01",
        b"00-4bf92f3577b34da6a3ce929d0e0e4736-" + b"0" * 16 + b"-01",
    ],
)
def test_what_is_no_context_does_not_travel_on(parent: bytes) -> None:
    headers: Headers = [("traceparent", parent), STATE]
    assert trace_context(headers) == ()


@pytest.mark.parametrize("state", [b"", b"x" * (MAX_STATE_BYTES + 1), b"a=\xff", b"a=\n"])
def test_a_state_that_may_not_be_is_left_out(state: bytes) -> None:
    assert trace_context([GOOD, ("tracestate", state)]) == (GOOD,)


def test_fields_of_text_hold_a_context_too() -> None:
    parent = GOOD[1].decode()
    assert trace_context_of([("Traceparent", parent), ("tracestate", "a=b"), ("other", "x")]) == (
        GOOD,
        ("tracestate", b"a=b"),
    )
    assert trace_context_of([("traceparent", parent), ("tracestate", "a=\u00e9\udc80")]) == (GOOD,)
    assert trace_context_of([("traceparent", "00-\u0664")]) == ()
    assert trace_context_of([]) == ()
