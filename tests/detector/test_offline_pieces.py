"""Recordings judged without a bus: what they are read from, and in what pieces, changes nothing."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Urgent, Verdict
from detector.offline import chunks_of, judge_record
from ecg.records import MISSING, Record, RecordOnDisk
from ecg.wfdb_files import open_wfdb
from ecgstream.bench.score_file import write_repeated
from tests.hostile.cheap import CheapScorer, heart

SECONDS = 70.0


@pytest.fixture(scope="module")
def beating() -> Record:
    """A heart that stops for a while, with samples missing."""
    record = heart("h", SECONDS, stops=[(30.0, 45.0)])
    samples = record.samples.copy()
    samples[2000:2100] = MISSING
    return replace(record, samples=samples)


@pytest.fixture(scope="module")
def on_disk(beating: Record, tmp_path_factory: pytest.TempPathFactory) -> RecordOnDisk:
    record = open_wfdb(write_repeated(beating, tmp_path_factory.mktemp("disk"), length_s=SECONDS))
    assert isinstance(record, RecordOnDisk)
    return record


@pytest.fixture(scope="module")
def at_once(beating: Record) -> list[Verdict | Urgent]:
    return list(judge_record(beating, CheapScorer(), patient="p", piece_s=SECONDS))


@settings(max_examples=25, deadline=None)
@given(piece_s=st.floats(0.01, 2 * SECONDS), chunk_s=st.floats(0.1, 3.0), batch=st.sampled_from([1, 7, 384]))
def test_any_pieces_from_the_disk_give_the_same_messages(
    on_disk: RecordOnDisk, at_once: list[Verdict | Urgent], piece_s: float, chunk_s: float, batch: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("detector.offline.BATCH", batch)
        found = list(judge_record(on_disk, CheapScorer(), patient="p", piece_s=piece_s, chunk_s=chunk_s))
    assert found == at_once
    assert any(isinstance(each, Urgent) for each in at_once)


@given(piece_s=st.floats(0.01, 2 * SECONDS))
def test_any_pieces_are_cut_into_the_same_chunks(on_disk: RecordOnDisk, beating: Record, piece_s: float) -> None:
    of: dict[str, Any] = {"patient": "p", "device": "d", "start_ns": 0, "chunk_s": 1.0}
    here, there = chunks_of(on_disk, piece_s=piece_s, **of), chunks_of(beating, piece_s=SECONDS, **of)
    for one, other in zip(here, there, strict=True):
        np.testing.assert_array_equal(one.samples, other.samples)
        assert (one.start_index, one.start_ns, one.source) == (other.start_index, other.start_ns, other.source)


def test_messages_come_while_the_file_is_read(on_disk: RecordOnDisk) -> None:
    read: list[int] = []

    def watched(start: int, stop: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
        read.append(stop)
        return on_disk.read(start, stop)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("detector.offline.BATCH", 10)
        next(judge_record(replace(on_disk, read=watched), CheapScorer(), piece_s=5.0))
    assert max(read) < on_disk.length / 2


def test_progress_is_told_up_to_the_end(on_disk: RecordOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.offline.BATCH", 20)
    shown: list[tuple[int, int]] = []
    list(judge_record(on_disk, CheapScorer(), progress=lambda done, of: shown.append((done, of))))
    assert len(shown) > 2
    assert [done for done, _ in shown] == sorted({done for done, _ in shown})
    assert {of for _, of in shown} == {shown[-1][0]} == {on_disk.length}
