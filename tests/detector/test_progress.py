"""Progress records of each version that was ever written, as they lay on the topic, are read."""

import json
from pathlib import Path

import pytest

from bus.samples import Chunk
from detector.baseline import UsualQrs
from detector.judgement import BeatEvidence, ReportedBeats
from detector.partition_state import PARTITION_KEY, PartitionState
from detector.progress import READ_VERSIONS, VERSION, dump, load
from tests.detector.progress_log import ProgressLog
from tests.detector.streams import chunk, facts, signal

RECORDS = Path(__file__).parent / "progress_records"


def device() -> list[Chunk]:
    """What was sent when the records were written: a chunk came twice, the clock jumped at 18 s."""
    samples = signal(40, 100.0, 2)
    chunks = [
        chunk(samples, start, start + 50, fs_hz=100.0, jump_ns=3_000_000_000 if start >= 1800 else 0)
        for start in range(0, 4000, 50)
    ]
    chunks.insert(30, chunks[29])
    return chunks


def test_there_is_a_record_of_each_version_that_is_read() -> None:
    kept = {int(path.name.partition("-")[0]) for path in RECORDS.iterdir()}
    assert kept == set(READ_VERSIONS), f"keep a real record of version {VERSION}: see the others"


@pytest.mark.parametrize("path", sorted(RECORDS.iterdir()), ids=lambda path: path.stem)
def test_a_patient_goes_on_from_a_record_as_if_nothing_were(path: Path) -> None:
    chunks = device()
    straight = PartitionState()
    expected = [
        (offset, facts(due)) for offset, part in enumerate(chunks) for due in straight.accept(part, offset, now_s=0).due
    ]
    streams, contexts = load("p", path.read_bytes())
    partition = f'{{"resume_offset": {streams.resume_offset}, "next_offset": 48}}'.encode()
    log = ProgressLog({b"p": path.read_bytes(), PARTITION_KEY: partition})
    state, resume = log.restored()
    found = [
        (offset, facts(due))
        for offset in range(resume or 0, len(chunks))
        for due in log.accept(state, chunks[offset], offset, now_s=0).due
    ]
    assert found == [(offset, fact) for offset, fact in expected if offset >= streams.seen]
    assert dump(streams, contexts).startswith(b'{"version":8,')


def test_what_the_release_before_knew_of_a_patient_is_kept() -> None:
    record = json.loads((RECORDS / "7-followed.json").read_bytes())
    history = [7_000, [-100, 20], ".v", [-0.1, -0.1, -0.1], 2, [-3.0, -2.0]]
    record["streams"][0]["baseline"] = [history, [["II", [10] * 25, 9], ["V1", [20] * 25, 3]], -0.5, 4]
    record["streams"][0]["evidence"] = [[6_000, -2.0, 1.5]]
    streams, contexts = load("p", json.dumps(record).encode())
    context = contexts[streams.streams[0].id]
    assert context.baseline.last_beat_ns == 7_000
    assert context.baseline.usual == (UsualQrs("II", (10,) * 25, 9), UsualQrs("V1", (20,) * 25, 3))
    assert (context.baseline.log_error, context.baseline.error_windows) == (-0.5, 4)
    assert context.baseline.open_beat is None
    assert context.reported == ReportedBeats(evidence=(BeatEvidence(6_000, -2.0, 1.5),))
