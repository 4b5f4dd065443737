from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.samples import Chunk
from detector.due import RapidCheck
from detector.partition_state import PARTITION_KEY, PartitionState
from detector.stream import PatientStream
from ecg.records import MISSING
from ecg.segments import segment_samples
from tests.detector.progress_log import ProgressLog
from tests.detector.streams import START_NS, chunk, cut, facts, signal, windows

RATES = (100.0, 128.0, 250.0, 250.5, 360.0, 1000.0)


def all_of(chunks: list[Chunk]) -> list[tuple[object, ...]]:
    stream = PatientStream.begin(chunks[0])
    return [facts(due) for offset, part in enumerate(chunks) for due in stream.accept(part, offset)[0]]


def test_whole_stream_gives_every_window_once() -> None:
    samples = signal(31, 360.0, 2)
    stream = PatientStream.begin(chunk(samples, 0, 1, fs_hz=360.0))
    due = [w for n, part in enumerate(cut(samples, [90], fs_hz=360.0)) for w in windows(stream.accept(part, n)[0])]
    assert [w.window for w in due] == [0, 1, 2, 3, 4, 5]
    assert [w.start_ns - START_NS for w in due] == [k * 5_000_000_000 for k in range(6)]
    assert all(a.end_ns == b.start_ns for a, b in pairwise(due))
    # MLII comes second in the recording and first here.
    assert due[0].columns == (1, 0)
    assert np.array_equal(due[3].segment, samples[360 : 20 * 360, ::-1])
    assert (due[0].segment[: 10 * 360] == MISSING).all()


@settings(max_examples=60)
@given(
    fs_hz=st.sampled_from(RATES),
    leads=st.integers(1, 3),
    seconds=st.floats(5, 40),
    parts=st.lists(st.floats(0.02, 9.0), min_size=1, max_size=6),
)
def test_any_cut_gives_the_same_windows_and_checks(
    fs_hz: float, leads: int, seconds: float, parts: list[float]
) -> None:
    samples = signal(seconds, fs_hz, leads)
    whole = all_of(cut(samples, [round(0.25 * fs_hz)], fs_hz=fs_hz))
    assert all_of(cut(samples, [max(1, int(part * fs_hz)) for part in parts], fs_hz=fs_hz)) == whole
    checks = [each for each in whole if each[0] == "check"]
    assert [each[1] for each in checks] == list(range(4, int(len(samples) / fs_hz) + 1))
    assert len(whole) - len(checks) == int(len(samples) / fs_hz // 5)


FAULTS = st.lists(st.tuples(st.sampled_from(["drop", "twice", "late", "jump", "far"]), st.integers(0, 199)), max_size=6)


def faulty(faults: list[tuple[str, int]], fs_hz: float = 100.0) -> list[Chunk]:
    """Fifty seconds in quarter-second chunks with faults: dropped, sent twice, swapped, a jumping clock, a gap."""
    samples = signal(120, fs_hz, 2)
    bounds = [(n * 25, n * 25 + 25) for n in range(200)]
    jump_at = {at: 400_000_000 for kind, at in faults if kind == "jump"}
    far = sorted(at for kind, at in faults if kind == "far")
    chunks: list[Chunk] = []
    jump_ns = 0
    for number, (start, end) in enumerate(bounds):
        jump_ns += jump_at.get(number, 0)
        moved = 2_000 * sum(at <= number for at in far)
        if end + moved <= len(samples):
            chunks.append(chunk(samples, start + moved, end + moved, fs_hz=fs_hz, jump_ns=jump_ns))
    for kind, at in faults:
        if at >= len(chunks) - 1:
            continue
        if kind == "drop":
            del chunks[at]
        elif kind == "twice":
            chunks.insert(min(len(chunks), at + 3), chunks[at])
        elif kind == "late":
            chunks[at], chunks[at + 1] = chunks[at + 1], chunks[at]
    return chunks


@settings(max_examples=150)
@given(faults=FAULTS, crashes=st.sets(st.integers(0, 199), max_size=5), parks=st.sets(st.integers(0, 199), max_size=3))
def test_crash_and_park_change_nothing(faults: list[tuple[str, int]], crashes: set[int], parks: set[int]) -> None:
    chunks = faulty(faults)
    undisturbed: list[tuple[object, ...]] = []
    state = PartitionState()
    for offset, part in enumerate(chunks):
        undisturbed.extend(facts(due) for due in state.accept(part, offset, now_s=0).due)

    log = ProgressLog()
    given_out: list[tuple[object, ...]] = []
    state, offset = PartitionState(), 0
    while offset < len(chunks):
        due = log.accept(state, chunks[offset], offset, now_s=0).due
        for each in due:
            if isinstance(each, RapidCheck):  # as if every one found something
                state.judged(each.stream, state.context(each.stream), published=True)
        state.next_offset = offset + 1
        if due:
            # What goes out in one transaction.
            given_out.extend(facts(each) for each in due)
            changed = {name.encode(): record for name, record in state.changed()}
            log.commit(state, changed | {PARTITION_KEY: state.partition_record()})
        if offset in parks:
            for patient, record in state.park_silent(now_s=1e6, now_ns=0, silent_s=1):
                log.commit(state, {patient.encode(): record, PARTITION_KEY: state.partition_record()})
        if offset in crashes:
            crashes = crashes - {offset}
            state, resume = log.restored()
            offset = resume or 0
            continue
        offset += 1
    assert given_out == undisturbed


def test_gap_is_counted_and_named() -> None:
    samples = signal(40, 100.0, 1)
    chunks = [c for c in cut(samples, [50], fs_hz=100.0) if not 1150 <= c.start_index < 1250]
    stream = PatientStream.begin(chunks[0])
    due = [w for n, part in enumerate(chunks) for w in windows(stream.accept(part, n)[0])]
    assert [w.missing_samples for w in due[:4]] == [0, 0, 100, 0]
    hole = due[2].segment[-500:][150:250]
    assert (hole == MISSING).all()


def test_windows_without_a_sample_are_no_windows_but_a_gap() -> None:
    samples = signal(60, 100.0, 1)
    chunks = [c for c in cut(samples, [50], fs_hz=100.0) if not 700 <= c.start_index < 3300]
    stream = PatientStream.begin(chunks[0])
    due = [w for n, part in enumerate(chunks) for w in windows(stream.accept(part, n)[0])]
    assert [w.window for w in due[:4]] == [0, 1, 6, 7]
    assert [w.gap_before_s for w in due[:4]] == [0, 0, 20.0, 0]
    assert due[1].missing_samples == 300
    assert due[2].missing_samples == 300


def test_jump_of_years_costs_nothing() -> None:
    samples = signal(20, 100.0, 1)
    first, second = cut(samples, [1000], fs_hz=100.0)
    far = 10**15
    stream = PatientStream.begin(first)
    due = windows(stream.accept(first, 0)[0])
    moved = Chunk(
        **{
            **{name: getattr(second, name) for name in Chunk.__slots__},
            "start_index": far,
            "start_ns": second.start_ns + far * 10_000_000 - 10_000_000_000,
        }
    )
    due += windows(stream.accept(moved, 1)[0])
    assert [w.window for w in due] == [0, 1, far // 500, far // 500 + 1]


def test_late_chunk_fills_its_hole() -> None:
    samples = signal(20, 100.0, 1)
    chunks = cut(samples, [50], fs_hz=100.0)
    swapped = [*chunks[:9], chunks[10], chunks[9], *chunks[11:]]
    assert all_of(swapped) == all_of(chunks)


def test_duplicate_samples_are_counted_and_the_first_stay() -> None:
    samples = signal(10, 100.0, 1)
    chunks = cut(samples, [50], fs_hz=100.0)
    other = chunk(samples[::-1].copy(), 100, 150, fs_hz=100.0)
    stream = PatientStream.begin(chunks[0])
    due = [w for n, part in enumerate([*chunks[:4], other, *chunks[4:]]) for w in windows(stream.accept(part, n)[0])]
    assert due[0].duplicate_samples == 50
    assert np.array_equal(due[0].segment[-500:], samples[:500])


def test_clock_jump_is_named_once_and_times_follow_the_clock() -> None:
    samples = signal(20, 100.0, 1)
    jump_ns = 3_000_000_000
    chunks = [
        chunk(samples, start, start + 50, fs_hz=100.0, jump_ns=jump_ns if start >= 700 else 0)
        for start in range(0, 2000, 50)
    ]
    stream = PatientStream.begin(chunks[0])
    due = [w for n, part in enumerate(chunks) for w in windows(stream.accept(part, n)[0])]
    assert [w.clock_jump_ns for w in due] == [0, jump_ns, 0, 0]
    assert [w.clock_jumps_abs_ns for w in due] == [0, jump_ns, 0, 0]
    assert due[2].start_ns == START_NS + 10_000_000_000 + jump_ns


def test_a_hole_leaves_out_the_checks_that_it_touches_and_no_others() -> None:
    samples = signal(30, 100.0, 1)
    chunks = [c for c in cut(samples, [25], fs_hz=100.0) if c.start_index != 1225]
    checks = [each[1] for each in all_of(chunks) if each[0] == "check"]
    assert checks == [*range(4, 13), *range(17, 31)]


def test_rows_left_out_that_hide_no_beat_leave_no_checks_out() -> None:
    samples = signal(30, 250.0, 1)
    chunks = [c for c in cut(samples, [5], fs_hz=250.0) if c.start_index != 3100]
    assert [each[1] for each in all_of(chunks) if each[0] == "check"] == list(range(4, 31))


def test_samples_marked_missing_on_every_lead_are_counted_as_missing() -> None:
    samples = signal(15, 100.0, 2)
    samples[510:560, 0] = MISSING
    samples[530:590, 1] = MISSING
    chunks = cut(samples, [50], fs_hz=100.0)
    stream = PatientStream.begin(chunks[0])
    given = [w for n, part in enumerate(chunks) for w in windows(stream.accept(part, n)[0])]
    assert [w.missing_samples for w in given] == [0, 30, 0]


def test_a_late_chunk_brings_its_checks_back() -> None:
    samples = signal(30, 100.0, 1)
    chunks = cut(samples, [25], fs_hz=100.0)
    chunks.insert(52, chunks.pop(49))  # 12.25 s, after 13 s have come
    assert [each[1] for each in all_of(chunks) if each[0] == "check"] == list(range(4, 31))


def test_segment_has_one_shape_for_every_rate() -> None:
    for fs_hz in RATES:
        samples = signal(12, fs_hz, 2)
        stream = PatientStream.begin(chunk(samples, 0, 1, fs_hz=fs_hz))
        chunks = cut(samples, [int(fs_hz)], fs_hz=fs_hz)
        due = [w for n, part in enumerate(chunks) for w in windows(stream.accept(part, n)[0])]
        assert {w.segment.shape for w in due} == {(segment_samples(fs_hz), 2)}
