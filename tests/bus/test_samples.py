from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_np

from bus.messages import PATIENT_ID
from bus.samples import _PREFIX, MAX_LEADS, BadChunkError, Chunk, decode, encode
from ecg.records import MAX_GAIN, MIN_GAIN
from tests.bus.poison import POISON, Poison, written

PATIENT = st.from_regex(PATIENT_ID, fullmatch=True)
GAINS = st.floats(MIN_GAIN, MAX_GAIN)


@st.composite
def chunks(draw: st.DrawFn) -> Chunk:
    leads = tuple(
        draw(st.lists(st.from_regex(r"[A-Za-z0-9]{1,8}", fullmatch=True), min_size=1, max_size=4, unique=True))
    )
    count = draw(st.integers(1, 100))
    return Chunk(
        patient=draw(PATIENT),
        device=draw(st.text("abcdef-0123", max_size=20)),
        start_ns=draw(st.integers(0, 2**62 - 1)),
        start_index=draw(st.integers(0, 2**62 - 1)),
        fs_hz=draw(st.floats(100, 1000)),
        leads=leads,
        gain=tuple(draw(st.lists(GAINS, min_size=len(leads), max_size=len(leads)))),
        baseline=tuple(draw(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=len(leads), max_size=len(leads)))),
        samples=draw(st_np.arrays(np.int16, (count, len(leads)))),
    )


def same(a: Chunk, b: Chunk) -> bool:
    rest = [field.name for field in fields(Chunk) if field.name != "samples"]
    return all(getattr(a, name) == getattr(b, name) for name in rest) and np.array_equal(a.samples, b.samples)


@given(chunks())
def test_what_is_encoded_is_decoded(chunk: Chunk) -> None:
    assert same(decode(encode(chunk), key=chunk.patient.encode()), chunk)


def test_samples_stand_in_the_message_little_endian_by_instant() -> None:
    samples = np.array([[1, 2], [3, -32768]], dtype=np.int16)
    chunk = decode(written(count=2, samples=samples.astype("<i2").tobytes()))
    assert chunk.samples.tolist() == [[1, 2], [3, -32768]]
    assert chunk.end_index == 2


@pytest.mark.parametrize("poison", POISON, ids=lambda poison: poison.name)
def test_poison_is_refused_with_its_reason(poison: Poison) -> None:
    with pytest.raises(BadChunkError, match=poison.says) as caught:
        decode(poison.value, key=poison.key)
    assert len(str(caught.value)) < 1_000, "a reason must not carry the message's own length"


@given(st.binary(max_size=400), st.one_of(st.none(), st.binary(max_size=5)))
def test_random_bytes_are_refused_and_nothing_else_happens(value: bytes, key: bytes | None) -> None:
    with pytest.raises(BadChunkError):
        decode(value, key=key)


@given(st.binary(max_size=400))
def test_random_bytes_behind_the_right_header_are_a_chunk_or_refused(body: bytes) -> None:
    _decode_or_refuse(_PREFIX + body)


@given(st.data())
def test_a_damaged_message_is_a_chunk_or_refused(data: st.DataObject) -> None:
    value = bytearray(written(count=2, samples=bytes(8)))
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    _decode_or_refuse(bytes(value))


def _decode_or_refuse(value: bytes) -> None:
    try:
        chunk = decode(value)
    except BadChunkError:
        return
    assert chunk.samples.dtype == np.int16
    assert chunk.samples.shape[1] == len(chunk.leads) == len(chunk.gain) == len(chunk.baseline) <= MAX_LEADS
    assert 100 <= chunk.fs_hz <= 1000
    assert all(MIN_GAIN <= gain <= MAX_GAIN for gain in chunk.gain)
    assert chunk.start_index >= 0
    assert same(decode(encode(chunk)), chunk)
