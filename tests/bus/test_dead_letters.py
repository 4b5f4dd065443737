from base64 import b64decode

from hypothesis import given
from hypothesis import strategies as st

from bus.dead_letters import MAX_VALUE_BYTES, Refusal, dead_letter
from bus.interfaces import Outgoing, Received
from bus.messages import DeadLetter
from bus.partitioning import partition_of


def received(*, key: bytes | None = b"p1", value: bytes | None = b"bad") -> Received:
    return Received(topic="ecg.samples", partition=2, offset=7, timestamp_ms=1_700_000_000_000, key=key, value=value)


def letter(message: Received, *, reason: str = "no Avro") -> tuple[Outgoing, DeadLetter]:
    refusal = Refusal(code="undecodable", reason=reason)
    out = dead_letter(message, refusal, topic="ward.ecg.dead-letters", service="detector")
    assert out.value is not None
    return out, DeadLetter.model_validate_json(out.value)


def test_a_dead_letter_tells_where_it_came_from_and_why() -> None:
    out, read = letter(received())
    assert (out.topic, out.key) == ("ward.ecg.dead-letters", b"p1")
    assert (read.service, read.reason) == ("detector", "no Avro")
    assert (read.topic, read.partition, read.offset) == ("ecg.samples", 2, 7)
    assert read.value_base64 is not None
    assert b64decode(read.value_base64) == b"bad"


def test_a_long_value_is_cut_and_its_length_kept() -> None:
    _, read = letter(received(value=b"x" * (MAX_VALUE_BYTES + 1)))
    assert read.value_bytes == MAX_VALUE_BYTES + 1
    assert read.value_base64 is not None
    assert len(b64decode(read.value_base64)) == MAX_VALUE_BYTES


def test_no_value_and_no_key_stay_none() -> None:
    out, read = letter(received(key=None, value=None))
    assert out.key is None
    assert (read.key_base64, read.value_base64, read.value_bytes) == (None, None, 0)


def test_a_key_that_is_no_text_is_kept_in_the_letter_alone() -> None:
    out, read = letter(received(key=b"\xff\xfe"))
    assert out.key is None
    assert read.key_base64 is not None
    assert b64decode(read.key_base64) == b"\xff\xfe"


@given(st.one_of(st.none(), st.binary()), st.one_of(st.none(), st.binary()), st.text(st.characters()))
def test_whatever_came_a_letter_can_be_written(key: bytes | None, value: bytes | None, reason: str) -> None:
    _, read = letter(received(key=key, value=value), reason=reason)
    assert read.offset == 7


def test_a_letter_about_a_patient_goes_where_the_patient_belongs() -> None:
    home = partition_of(b"p1", 7)
    refusal = Refusal(code="wrong_partition", reason="elsewhere")
    out = dead_letter(received(), refusal, topic="t", service="detector", partitions=7)
    assert out.partition == home
    assert DeadLetter.model_validate_json(out.value or b"").patient == "p1"
    named = Refusal(code="no_key", reason="no key", patient="p2")
    out = dead_letter(received(key=None), named, topic="t", service="detector", partitions=4)
    assert out.partition == partition_of(b"p2", 4)
    out = dead_letter(received(key=b"no patient"), refusal, topic="t", service="detector", partitions=4)
    assert out.partition is None


def test_a_letter_of_an_older_release_is_read() -> None:
    old = (
        b'{"schema_version":1,"service":"detector","reason":"no Avro","topic":"ecg.samples","partition":2,'
        b'"offset":7,"timestamp_ms":1,"key_base64":null,"value_bytes":0,"value_base64":null}'
    )
    read = DeadLetter.model_validate_json(old)
    assert (read.code, read.patient, read.count, read.first_offset) == (None, None, 1, None)
