"""Beats and findings of verdicts, with a scorer that knows each beat."""

from collections.abc import Mapping
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.messages import Verdict
from bus.samples import Chunk
from detector.baseline import QRS_AFTER, QRS_BEFORE
from detector.beat_map import AamiClass, BeatFinding
from detector.due import DueWindow
from detector.manifest import Manifest, load_manifest
from detector.offline import verdicts_in
from detector.partition_state import PARTITION_KEY, PartitionState
from detector.patient import PatientContext, judge_all
from detector.score import Score
from ecg.records import MISSING
from ecg.segments import MODEL_SAMPLES, WINDOW_SAMPLES
from models import SHIPPED
from tests.detector.beat_classes import EVEN, by_network
from tests.detector.progress_log import ProgressLog
from tests.detector.streams import START_NS, chunk, signal, windows
from tests.detector.test_stream import FAULTS, faulty

FS_HZ = 100.0
SPIKE = 1000  # ADC units: the signal's noise stays below 200
S = 1_000_000_000
WAVES = {3: 0.3, 4: 0.7, 7: 0.3}  # leakage of windows in flutter: one that wavers, and another


@cache
def manifest() -> Manifest:
    return load_manifest(SHIPPED).model_copy(update={"beat_reading": EVEN})


def class_of(second: int) -> AamiClass:
    """Twenty seconds each: normal, bigeminy, a run in a normal rhythm, all ventricular."""
    part, within = second // 20 % 4, second % 20
    ventricular = (False, within % 2 == 1, 5 <= within < 9, True)[part]
    return "V" if ventricular else "N"


def finding(position: int, letter: AamiClass) -> BeatFinding:
    """A beat that leaves no doubt: a narrow QRS, or a wide one that points the other way."""
    time = np.arange(-QRS_BEFORE, QRS_AFTER)
    normal, ventricular = 4 * np.exp(-((time / 2) ** 2)), -4 * np.exp(-((time / 6) ** 2))
    shares = (0.0, 0.0, 1.0, 0.0) if letter == "V" else (1.0, 0.0, 0.0, 0.0)
    qrs = ventricular if letter == "V" else normal
    return BeatFinding(position=position, shares=shares, qrs=np.stack([qrs, qrs]).astype(np.float32))


def score(due: DueWindow, *, logit: float = 9.0, leakage: float | None = None) -> Score:
    """Every spike of the first lead is a beat; its class follows from its place in the stream."""
    lead = due.segment[-MODEL_SAMPLES:, 0]
    missing = float((lead[-WINDOW_SAMPLES:] == MISSING).mean())
    usable = missing <= 0.1
    first = (due.window + 1) * WINDOW_SAMPLES - MODEL_SAMPLES
    beats = tuple(
        finding(int(position), class_of((first + int(position)) // 100))
        for position in np.flatnonzero(lead > SPIKE)
        if position >= MODEL_SAMPLES - 600
    )
    return Score(
        lead=due.source.leads[due.columns[0]] if usable else None,
        logit=logit if usable else None,
        log_error=logit if usable else None,
        beats=beats if usable else (),
        heart_rate_bpm=None,
        quality=(missing, 0.0, 0.0, 0.0),
        flags=(),
        leakage=leakage if usable else None,
    )


def judged(state: PartitionState, due: list[DueWindow], waves: Mapping[int, float] | None = None) -> list[Verdict]:
    verdicts = []
    for window in due:
        result = score(window, leakage=(waves or {}).get(window.window))
        before = {window.stream: state.context(window.stream)}
        (found,) = judge_all(before, [window], [result], class_beats=by_network, manifest=manifest())
        state.judged(window.stream, found.context, published=True)
        verdicts += verdicts_in(found.published)
    return verdicts


def verdicts_on(chunks: list[Chunk], waves: Mapping[int, float] | None = None) -> list[Verdict]:
    state = PartitionState()
    verdicts: list[Verdict] = []
    for offset, part in enumerate(chunks):
        verdicts += judged(state, windows(state.accept(part, offset, now_s=0).due), waves)
    return verdicts


def seconds(seconds: int, *, jump_at: int | None = None, jump_ns: int = 0) -> list[Chunk]:
    samples = signal(seconds, FS_HZ, 1)
    return [
        chunk(
            samples,
            second * 100,
            second * 100 + 100,
            fs_hz=FS_HZ,
            jump_ns=jump_ns if jump_at is not None and second >= jump_at else 0,
        )
        for second in range(seconds)
    ]


@settings(max_examples=100)
@given(faults=FAULTS, crashes=st.sets(st.integers(0, 199), max_size=5), parks=st.sets(st.integers(0, 199), max_size=3))
def test_beats_and_findings_survive_crash_and_park(
    faults: list[tuple[str, int]], crashes: set[int], parks: set[int]
) -> None:
    chunks = faulty(faults)
    undisturbed = verdicts_on(chunks, WAVES)
    log = ProgressLog()
    given_out: list[Verdict] = []
    state, offset = PartitionState(), 0
    while offset < len(chunks):
        due = log.accept(state, chunks[offset], offset, now_s=0).due
        state.next_offset = offset + 1
        if due:
            given_out += judged(state, windows(due), WAVES)
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
    assert any(verdict.beats for verdict in undisturbed)


def test_a_finding_stands_in_each_window_in_which_it_grew_and_is_named() -> None:
    verdicts = verdicts_on(seconds(60))
    found = {
        verdict.window: [(f.kind, (f.start_ns - START_NS) / S, (f.end_ns - START_NS) / S, f.beats, f.rate_bpm)]
        for verdict in verdicts
        for f in verdict.findings
    }
    assert found == {
        5: [("bigeminy", 20, 29, 10, 60.0)],
        6: [("bigeminy", 20, 33, 14, 60.0)],
        7: [("bigeminy", 20, 39, 20, 60.0)],
        9: [("ventricular_run", 45, 48, 4, 60.0)],
    }
    assert verdicts[7].reasons[0] == "ventricular bigeminy"
    assert verdicts[9].reasons[0] == "run of 4 ventricular beats at 60/min"


def test_what_was_not_received_is_no_pause() -> None:
    chunks = [part for part in seconds(120) if not 13 <= part.start_index // 100 < 33]
    verdicts = verdicts_on(chunks)
    assert [verdict.window for verdict in verdicts if verdict.decision == "unusable"] == [2, 6]
    assert not [f for verdict in verdicts for f in verdict.findings if f.kind in {"pause", "asystole", "bradycardia"}]


def test_each_beat_is_told_once_however_the_clock_jumps() -> None:
    for jump_ns in (-3600 * S, -3 * S, -S // 2, 0, S // 2, 3 * S, 3600 * S):
        verdicts = verdicts_on(seconds(60, jump_at=22, jump_ns=jump_ns))
        assert sum(len(verdict.beats) for verdict in verdicts) == 60
        assert not [f for v in verdicts for f in v.findings if f.kind in {"pause", "asystole"}]


def test_what_may_kill_at_once_is_abnormal_whatever_the_networks_say() -> None:
    state, context, verdicts = PartitionState(), PatientContext(), list[Verdict]()
    for offset, part in enumerate(seconds(20)):
        for due in windows(state.accept(part, offset, now_s=0).due):
            calm = score(due, logit=-9.0, leakage=WAVES.get(due.window))
            (found,) = judge_all({due.stream: context}, [due], [calm], class_beats=by_network, manifest=manifest())
            context = found.context
            verdicts += verdicts_in(found.published)
    assert [verdict.decision for verdict in verdicts] == ["normal", "normal", "normal", "abnormal"]
    assert verdicts[3].reasons[0] == "ventricular flutter or fibrillation, 5 s"
    assert verdicts[3].fused is not None
    assert verdicts[3].fused < verdicts[3].threshold
    assert [(f.kind, f.start_ns, f.end_ns, f.rate_bpm, f.beats) for f in verdicts[3].findings] == [
        ("ventricular_flutter", verdicts[3].start_ns, verdicts[3].end_ns, None, None)
    ]
