"""Windows that overlap: each second of signal is told of once, whatever the hop, and alarms count seconds."""

from itertools import islice, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting.policy import policy
from alerting.rules import load_rules
from alerting.state import PatientState
from bus.messages import Alert, Urgent, Verdict
from detector.due import DueWindow
from detector.offline import judge_record
from detector.partition_state import PARTITION_KEY, PartitionState
from detector.progress import BadProgressError
from detector.scorer import Scorer
from ecg.annotations import read_annotations
from ecg.windows import HOPS_S, WINDOW_S
from models import SHIPPED
from tests.detector.progress_log import ProgressLog
from tests.detector.streams import chunk, cut, facts, signal
from tests.support.recordings import annotated, recording
from training.tally import tally_records
from web.live.registry import PatientRegistry
from web.live.verdicts import VerdictHead

FS_HZ = 100.0
HOPS = st.sampled_from(HOPS_S)
S = 1_000_000_000


def at(hop_s: int) -> Scorer:
    return Scorer(SHIPPED, hop_s=hop_s)


@pytest.mark.parametrize("hop_s", HOPS_S)
def test_windows_begin_a_hop_apart_and_what_is_new_in_them_covers_the_stream(hop_s: int) -> None:
    state = PartitionState(hop_s=hop_s)
    chunks = cut(signal(31, FS_HZ, 2), [25], fs_hz=FS_HZ)
    due = [each for n, part in enumerate(chunks) for each in state.accept(part, n, now_s=0).due]
    windows = [each for each in due if isinstance(each, DueWindow)]
    assert [each.window for each in windows] == list(range((31 - WINDOW_S) // hop_s + 1))
    assert {each.end_ns - each.start_ns for each in windows} == {WINDOW_S * S}
    assert {later.start_ns - each.start_ns for each, later in pairwise(windows)} == {hop_s * S}
    assert windows[0].new_from_ns == windows[0].start_ns
    assert all(later.new_from_ns == each.end_ns for each, later in pairwise(windows))
    assert [each.second for each in due if not isinstance(each, DueWindow)] == list(range(4, 32))


@settings(max_examples=60, deadline=None)
@given(
    hop_s=HOPS,
    lost=st.lists(st.tuples(st.integers(0, 55), st.integers(1, 12)), max_size=3),
    twice=st.sets(st.integers(0, 119), max_size=3),
    crash=st.integers(0, 119),
)
def test_a_crash_changes_nothing_and_every_lost_second_is_counted_once(
    hop_s: int, lost: list[tuple[int, int]], twice: set[int], crash: int
) -> None:
    samples = signal(60, FS_HZ, 2)
    gone = {second for first, length in lost for second in range(first, min(60, first + length))}
    chunks = [
        chunk(samples, start, start + 50, fs_hz=FS_HZ)
        for number, start in enumerate(range(0, 6000, 50))
        for _ in range(1 + (number in twice))
        if start // 100 not in gone
    ]
    straight = PartitionState(hop_s=hop_s)
    expected = [each for n, part in enumerate(chunks) for each in straight.accept(part, n, now_s=0).due]
    log, state, found, offset = ProgressLog(), PartitionState(hop_s=hop_s), list[object](), 0
    while offset < len(chunks):
        due = log.accept(state, chunks[offset], offset, now_s=0).due
        state.next_offset = offset + 1
        for each in due:
            state.judged(each.stream, state.context(each.stream), published=True)
        found += [facts(each) for each in due]
        if due:
            records = {name.encode(): record for name, record in state.changed()}
            log.commit(state, records | {PARTITION_KEY: state.partition_record()})
        if offset == crash:
            crash = -1
            state, resume = log.restored(hop_s=hop_s)
            offset = resume or 0
            continue
        offset += 1
    assert found == [facts(each) for each in expected]
    windows = [each for each in expected if isinstance(each, DueWindow)]
    if windows:
        until = (windows[-1].end_ns - windows[0].new_from_ns) // S
        begun = min(set(range(60)) - gone, default=0)
        counted = sum(each.gap_before_s + each.missing_samples / FS_HZ for each in windows)
        first = windows[0].window and (windows[0].window - 1) * hop_s + WINDOW_S
        assert counted == len([second for second in gone if first <= second < first + until]) >= 0
        assert begun >= first


def test_progress_of_another_hop_is_refused_with_the_way_out() -> None:
    log, state = ProgressLog(), PartitionState()
    for offset, part in enumerate(cut(signal(12, FS_HZ, 1), [100], fs_hz=FS_HZ)):
        state.accept(part, offset, now_s=0)
        state.next_offset = offset + 1
    records = {name.encode(): record for name, record in state.changed()}
    log.commit(state, records | {PARTITION_KEY: state.partition_record()})
    with pytest.raises(BadProgressError, match=r"hop_s=2 s, but .* written with 5 s.*ECGSTREAM_DETECTOR_HOP_S=5"):
        log.restored(hop_s=2)


def test_a_quiet_heart_stays_green_and_every_beat_is_told_once() -> None:
    beats = {}
    for hop_s in (2, 5):
        verdicts = [each for each in judge_record(recording("19090-excerpt"), at(hop_s)) if isinstance(each, Verdict)]
        assert {verdict.decision for verdict in verdicts} == {"normal"}
        assert {verdict.hop_s for verdict in verdicts} == {hop_s}
        beats[hop_s] = [beat.t_ns for verdict in verdicts for beat in verdict.beats]
        assert min(later - each for each, later in pairwise(beats[hop_s])) > 0.3 * S
    near = sum(any(abs(each - other) <= S // 20 for other in beats[2]) for each in beats[5])
    assert near >= 0.99 * len(beats[5])


def alarms(messages: list[Verdict | Urgent]) -> dict[str, list[tuple[float, float]]]:
    """Onset and detection of each alarm by condition, s from the start."""
    rules, state = load_rules(), None
    alerts: list[Alert] = []
    for message in messages:
        found: PatientState | None
        found, actions = policy(state, message, rules)
        state = found
        alerts += [action for action in actions if isinstance(action, Alert)]
    began = messages[0].stream_start_ns
    begun: dict[str, list[tuple[float, float]]] = {}
    for alert in alerts:
        if alert.phase == "start":
            begun.setdefault(alert.condition, []).append(
                ((alert.onset_ns - began) / S, (alert.detected_ns - began) / S)
            )
    return begun


@pytest.mark.parametrize("name", ["119-excerpt", "207-excerpt", "209-excerpt"])
def test_alarms_come_no_later_where_windows_overlap(name: str) -> None:
    apart, overlapping = (alarms(list(judge_record(recording(name), at(hop_s)))) for hop_s in (5, 2))
    for condition, times in apart.items():
        if condition == "abnormal_window":
            continue  # the networks see other windows
        assert condition in overlapping, f"{condition} is missed at a hop of 2 s"
        assert overlapping[condition][0][1] <= times[0][1] + WINDOW_S


def test_the_evaluation_counts_hours_windows_and_each_beat_once() -> None:
    name, tallies = "119-excerpt", {}
    for hop_s in (2, 5):
        verdicts = [each for each in judge_record(recording(name), at(hop_s)) if isinstance(each, Verdict)]
        tallies[hop_s] = tally_records({name: verdicts}, {name: read_annotations(annotated(name))})[name]
    windows = {hop_s: sum(len(labels) for labels in tally.labels) for hop_s, tally in tallies.items()}
    assert windows[2] == (300 - WINDOW_S) // 2 + 1 - tallies[2].left_out
    assert windows[5] == 300 // 5 - tallies[5].left_out
    assert abs(tallies[2].hours - tallies[5].hours) <= WINDOW_S / 3600
    beats = {hop_s: sum(tally.beats.values()) for hop_s, tally in tallies.items()}
    assert abs(beats[2] - beats[5]) <= 0.02 * beats[5]


def test_the_page_pages_by_the_hop_of_the_patient() -> None:
    patients = PatientRegistry()
    assert patients.hop_s("19090-excerpt") == 5, "of whom nothing was judged yet"
    for number, each in enumerate(islice(judge_record(recording("19090-excerpt"), at(2)), 40)):
        if isinstance(each, Verdict):
            head = VerdictHead.model_validate_json(each.to_bytes())
            patients.take_verdict(head, each.to_bytes(), offset=number, sent_ms=1)
    assert patients.hop_s("19090-excerpt") == 2
    figures = patients.patients["19090-excerpt"].verdicts.figures()
    assert set(figures["start_ns"][1:] - figures["start_ns"][:-1]) == {2 * S}
