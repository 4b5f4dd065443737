"""The job that the peers share: the same windows and scores as the product's."""

import json
from itertools import pairwise

from detector.offline import chunks_of, judge_record, verdicts_in
from detector.scorer import Scorer
from ecg.records import MISSING
from ecg.segments import SEGMENT_S
from ecg.wfdb_files import toy_record
from models import SHIPPED
from peers.job import Judge, Recent, windows_completed

START_NS = 1_000_000_000_000_000_000
INGEST_MS = 1_000


def test_peers_judge_the_windows_of_the_product_with_its_scores() -> None:
    record = toy_record()
    expected = {
        verdict.id: verdict
        for verdict in verdicts_in(judge_record(record, Scorer(SHIPPED), patient="p", start_ns=START_NS))
    }
    judge, recent = Judge(), Recent()
    chunks = chunks_of(record, patient="p", device="d", start_ns=START_NS, chunk_s=0.25)
    due = [each for chunk in chunks for each in recent.add(chunk, INGEST_MS)]
    found = {fields["id"]: fields for fields in map(json.loads, judge.verdicts(due))}
    whole = {number: verdict for number, verdict in expected.items() if number in found}
    assert len(expected) - len(whole) <= 1  # the record's end, which no chunk completes
    assert len(found) == len(whole) > 50
    for number, verdict in whole.items():
        fields = found[number]
        assert abs(fields["cnn"] - verdict.cnn) < 1e-6
        assert (fields["start_ns"], fields["end_ns"], fields["lead"]) == (
            verdict.start_ns,
            verdict.end_ns,
            verdict.lead,
        )
        assert fields["ingest_ms"] == INGEST_MS


def test_every_window_is_completed_by_one_chunk() -> None:
    chunks = chunks_of(toy_record(), patient="p", device="d", start_ns=START_NS, chunk_s=0.7)
    numbers = [number for chunk in chunks for number in windows_completed(chunk)]
    assert numbers[0] == 0
    assert all(after == before + 1 for before, after in pairwise(numbers))


def test_no_more_is_kept_than_a_window_needs() -> None:
    record, recent = toy_record(), Recent()
    for chunk in chunks_of(record, patient="p", device="d", start_ns=START_NS, chunk_s=0.25):
        recent.add(chunk, INGEST_MS)
    assert len(recent.samples) <= (SEGMENT_S + 0.25) * record.fs_hz + 1
    assert (recent.samples == record.samples[-len(recent.samples) :]).all()


def test_what_was_not_received_is_missing_and_what_comes_twice_changes_nothing() -> None:
    record, recent = toy_record(), Recent()
    first, second, third, fourth = list(chunks_of(record, patient="p", device="d", start_ns=START_NS, chunk_s=1.0))[:4]
    for chunk in (first, second, second, fourth):
        recent.add(chunk, INGEST_MS)
    held = recent.samples[-recent.first :]  # from the stream's first sample on
    assert (held[: second.end_index] == record.samples[: second.end_index]).all()
    assert (held[third.start_index : third.end_index] == MISSING).all()
    assert (held[fourth.start_index :] == fourth.samples).all()
