"""Trace context of messages: W3C's ``traceparent`` and ``tracestate`` in headers, as OpenTelemetry's clients put them.

Source: https://www.w3.org/TR/trace-context/. A trace goes on where a message is the cause of another.
"""

import re
from collections.abc import Iterable

from bus.interfaces import Headers

PARENT = "traceparent"
STATE = "tracestate"
MAX_STATE_BYTES = 512  # that W3C asks every party to pass on
# Version, trace id, span id, flags; ids of zeros alone, and version ff, are none.
_PARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_STATE = re.compile(rb"[\x20-\x7e]*")


def trace_context(headers: Headers) -> Headers:
    """Return the trace context among a message's headers; empty where there is none that can be used.

    Whoever sends a message writes its headers, and they travel on with what it brings about: nothing else than a trace
    context gets through, and none that is larger than it may be.
    """
    if not headers:
        return ()
    found = dict(headers)
    parent, state = found.get(PARENT), found.get(STATE)
    if parent is None or _PARENT.fullmatch(parent) is None:
        return ()
    if not state or len(state) > MAX_STATE_BYTES or _STATE.fullmatch(state) is None:
        return ((PARENT, parent),)
    return ((PARENT, parent), (STATE, state))


def trace_context_of(fields: Iterable[tuple[str, str]]) -> Headers:
    """Return the trace context among fields of text, as HTTP's headers and the user properties of MQTT 5 are.

    Names of HTTP's headers have no case; a value beyond ASCII is none.
    """
    named = ((name.lower(), value.encode(errors="replace")) for name, value in fields)
    return trace_context([(name, value) for name, value in named if name in {PARENT, STATE}])
