from fractions import Fraction
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.samples import decode, encode
from ecg.errors import EcgStreamError
from producer.streams import Patient, cut, deal
from tests.producer.records import joined, record

START_NS = 1_700_000_000_123_456_789
rates = st.sampled_from([100.0, 128.5, 250.0, 333.3, 360.0, 977.0, 1000.0])


@st.composite
def streams(draw: st.DrawFn) -> Patient:
    samples = draw(st.integers(1, 5000))
    loop = draw(st.booleans())
    return Patient(
        id="p",
        record=record(samples, fs_hz=draw(rates)),
        offset=draw(st.integers(0, samples - 1)),
        loop=loop,
        length=draw(st.integers(1, 12_000)) if loop else None,
    )


@given(streams(), st.integers(100, 1000))
def test_any_chunk_length_gives_the_same_samples_at_the_same_times(patient: Patient, chunk_ms: int) -> None:
    whole, fs_hz = patient.record, patient.record.fs_hz
    samples = len(whole.samples)
    chunks = list(cut(patient, chunk_ms=chunk_ms, start_ns=START_NS))
    end = patient.length if patient.length is not None else samples - patient.offset
    places = (patient.offset + np.arange(end)) % samples
    np.testing.assert_array_equal(joined(chunks), whole.samples[places])
    assert chunks[0].start_index == 0
    assert all(before.end_index == after.start_index for before, after in pairwise(chunks))
    rate = Fraction(fs_hz).limit_denominator(1000)
    for chunk in chunks:
        exact = START_NS + chunk.start_index * 1_000_000_000 / rate
        assert abs(chunk.start_ns - exact) <= Fraction(1, 2)
        assert len(chunk.samples) <= rate * chunk_ms / 1000 + 1


def test_a_loop_goes_on_without_a_break_in_index_and_time() -> None:
    patient = Patient(id="p", record=record(450), loop=True)
    chunks = list(islice(cut(patient, chunk_ms=250, start_ns=START_NS), 100))
    assert chunks[-1].end_index == 9000
    assert chunks[-1].start_ns == START_NS + 24_750_000_000
    np.testing.assert_array_equal(joined(chunks)[:, 0], np.arange(9000) % 450)


def test_every_chunk_is_a_valid_message() -> None:
    for chunk in cut(Patient(id="p", record=record(1000)), chunk_ms=250, start_ns=START_NS):
        np.testing.assert_array_equal(decode(encode(chunk), key=b"p").samples, chunk.samples)


def test_records_are_dealt_out_in_turn_with_offsets_spread_evenly() -> None:
    dealt = deal([record(3600, name="a"), record(1800, name="b")], 5)
    assert [patient.id for patient in dealt] == ["a-1", "b-1", "a-2", "b-2", "a-3"]
    assert [patient.offset for patient in dealt] == [0, 0, 1200, 900, 2400]
    assert [patient.id for patient in deal([record(name="a"), record(name="b")])] == ["a", "b"]
    assert [patient.id for patient in deal([record(name="a"), record(name="b")], 1)] == ["a"]


@given(st.integers(1, 5), st.integers(1, 300))
def test_patients_are_alike_in_every_run_and_never_share_an_id(records: int, patients: int) -> None:
    few = [record(3600, name=f"r{number}") for number in range(records)]
    dealt = deal(few, patients)
    assert len({patient.id for patient in dealt}) == patients
    assert len({(patient.record.name, patient.offset) for patient in dealt}) == patients
    assert [(p.id, p.offset) for p in dealt] == [(p.id, p.offset) for p in deal(few, patients)]


def test_a_duration_ends_every_stream_after_its_samples() -> None:
    (patient,) = deal([record(3600)], duration_s=2.5)
    assert patient.end == 900
    assert deal([record(450)], loop=True, duration_s=2.5)[0].end == 900
    assert deal([record(450)], duration_s=2.5)[0].end == 450
    assert deal([record(450)], loop=True)[0].end is None


@pytest.mark.parametrize("chunk_ms", [0, 99, 1001])
def test_chunks_outside_the_contract_are_refused(chunk_ms: int) -> None:
    with pytest.raises(EcgStreamError, match=f"chunk_ms={chunk_ms} is outside 100 to 1000 ms"):
        cut(Patient(id="p", record=record()), chunk_ms=chunk_ms, start_ns=0)


def test_nobody_and_nothing_are_refused() -> None:
    with pytest.raises(EcgStreamError, match="0 records"):
        deal([], 3)
    with pytest.raises(EcgStreamError, match="0 patients"):
        deal([record()], 0)
    with pytest.raises(EcgStreamError, match="offset=3600 is outside record r"):
        Patient(id="p", record=record(), offset=3600)
