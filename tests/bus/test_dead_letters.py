from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.dead_letters import MAX_VALUE_BYTES, DeadLetterFloodError, DeadLetterLimit, dead_letter
from bus.interfaces import Outgoing, Received
from bus.messages import DeadLetter
from ecg.errors import EcgStreamError


def received(*, key: bytes | None = b"p1", value: bytes | None = b"bad") -> Received:
    return Received(topic="ecg.samples", partition=2, offset=7, timestamp_ms=1_700_000_000_000, key=key, value=value)


def letter(message: Received, *, reason: str = "no Avro") -> tuple[Outgoing, DeadLetter]:
    out = dead_letter(message, topic="ward.ecg.dead-letters", service="detector", reason=reason)
    assert out.value is not None
    return out, DeadLetter.model_validate_json(out.value)


def test_a_dead_letter_tells_where_it_came_from_and_why() -> None:
    out, told = letter(received())
    assert (out.topic, out.key) == ("ward.ecg.dead-letters", b"p1")
    assert (told.service, told.reason) == ("detector", "no Avro")
    assert (told.topic, told.partition, told.offset) == ("ecg.samples", 2, 7)
    assert told.value_base64 is not None
    assert b64decode(told.value_base64) == b"bad"


def test_a_long_value_is_cut_and_its_length_kept() -> None:
    _, told = letter(received(value=b"x" * (MAX_VALUE_BYTES + 1)))
    assert told.value_bytes == MAX_VALUE_BYTES + 1
    assert told.value_base64 is not None
    assert len(b64decode(told.value_base64)) == MAX_VALUE_BYTES


def test_no_value_and_no_key_stay_none() -> None:
    out, told = letter(received(key=None, value=None))
    assert out.key is None
    assert (told.key_base64, told.value_base64, told.value_bytes) == (None, None, 0)


def test_a_key_that_is_no_text_is_kept_in_the_letter_alone() -> None:
    out, told = letter(received(key=b"\xff\xfe"))
    assert out.key is None
    assert told.key_base64 is not None
    assert b64decode(told.key_base64) == b"\xff\xfe"


@given(st.one_of(st.none(), st.binary()), st.one_of(st.none(), st.binary()), st.text(st.characters()))
def test_whatever_came_a_letter_can_be_written(key: bytes | None, value: bytes | None, reason: str) -> None:
    _, told = letter(received(key=key, value=value), reason=reason)
    assert told.offset == 7


def test_a_few_bad_messages_are_borne_for_ever() -> None:
    limit = DeadLetterLimit(last=10, share=0.5)
    for _ in range(100):
        limit.bad("bad")
        limit.good()


def test_a_flood_is_a_clear_error() -> None:
    limit = DeadLetterLimit(last=10, share=0.5)
    for _ in range(10):
        limit.good()
    for _ in range(5):
        limit.bad("the schema is unknown")
    with pytest.raises(DeadLetterFloodError, match=r"6 of the last 10 messages.*the schema is unknown"):
        limit.bad("the schema is unknown")


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 12), st.floats(0.05, 1))
def test_it_stops_at_the_first_message_that_crosses_the_share(bad: list[bool], last: int, share: float) -> None:
    limit = DeadLetterLimit(last=last, share=share)
    for number, is_bad in enumerate(bad):
        crossed = is_bad and sum(bad[max(0, number + 1 - last) : number + 1]) > share * last
        if not is_bad:
            limit.good()
        elif crossed:
            with pytest.raises(DeadLetterFloodError):
                limit.bad("bad")
            return
        else:
            limit.bad("bad")


@pytest.mark.parametrize(("last", "share"), [(0, 0.5), (10, 0.0), (10, 1.5), (10, float("nan"))])
def test_a_limit_that_makes_no_sense_is_refused(last: int, share: float) -> None:
    with pytest.raises(EcgStreamError, match="share"):
        DeadLetterLimit(last=last, share=share)
