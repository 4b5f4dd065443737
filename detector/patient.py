"""The detector's context of a patient beside the signal, and the judging of a result against it. Pure.

A stream's windows and rapid checks are to be judged in the order in which they were due, each with the context that the
one before gave.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np

from bus.messages import Urgent, Verdict
from bus.samples import CLOCK_TOLERANCE_NS
from detector.baseline import QRS_BEATS, PersonalBaseline
from detector.beat_features import Floats
from detector.due import Due, DueWindow, RapidCheck, StreamId
from detector.judgement import ClassedBeat, Judgement, ReportedBeats, classed_beats, judge_window
from detector.manifest import Calibration, Manifest
from detector.rapid_check import make_urgent
from detector.score import Result, Score
from detector.verdicts import make_verdict
from detector.weighing import OVERLAP_NS, SETTLE_NS, Unweighed, WeighedWindow, time_of, weigh_windows
from ecg.fibrillation import FLUTTER_LEAKAGE, NO_WAVE
from ecg.findings import RhythmFinding
from ecg.lethal import Measured, judge_check
from ecg.records import Float32Array
from ecg.rhythm import step
from ecg.rhythm_state import RhythmState, Span
from ecg.usual_swing import UsualSwing

# Features of beats to the probabilities of their classes: ``detector.scorer.Scorer.class_beats``.
ClassBeats = Callable[[Floats], Sequence[Sequence[float]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientContext:
    """Past of one stream that judging needs.

    Attributes
    ----------
    baseline : what is usual for the patient, by the windows judged
    reported : what the next window needs of the beats reported with those before
    rhythm : what the findings of the next verdict need of the beats reported
    usual_swing : what the next rapid check needs of those before
    """

    baseline: PersonalBaseline = field(default_factory=PersonalBaseline)
    reported: ReportedBeats = field(default_factory=ReportedBeats)
    rhythm: RhythmState = field(default_factory=RhythmState)
    usual_swing: UsualSwing = field(default_factory=UsualSwing)


class Judged(NamedTuple):
    """Outcome of a window or a rapid check.

    Attributes
    ----------
    context : of its stream, after it
    published : a verdict on each window, an urgent message on few checks
    """

    context: PatientContext
    published: tuple[Verdict | Urgent, ...]


class _Weighed(NamedTuple):
    """A window that was due, weighed against what was usual before it."""

    due: DueWindow
    score: Score
    baseline: PersonalBaseline  # after it
    window: WeighedWindow | None
    jump_ns: int  # of the device's clock since the window before

    @property
    def beats(self) -> int:
        """Return how many of its beats are classed."""
        return 0 if self.window is None else len(self.window.features) + (self.window.completed is not None)


class _Checked(NamedTuple):
    """A rapid check that was due."""

    due: RapidCheck
    measured: Measured


def judge_all(
    contexts: Mapping[StreamId, PatientContext],
    due: Sequence[Due],
    results: Sequence[Result],
    *,
    class_beats: ClassBeats,
    manifest: Manifest,
) -> list[Judged]:
    """Judge all that is due of any streams, those of one stream in their order; their beats are classed in one call.

    Parameters
    ----------
    contexts : of each stream, before it; one of which nothing was judged yet may be missing
    due, results : windows with their scores, rapid checks with what was measured
    class_beats, manifest : of the models that have scored them

    Returns
    -------
    what each led to, in the order of ``due``
    """
    weighed = _weigh_all(contexts, due, results, manifest.calibration)
    rows = [each.window.rows for each in weighed if isinstance(each, _Weighed) and each.window is not None]
    probabilities = class_beats(np.concatenate(rows)) if rows else []
    classed = iter(classed_beats(probabilities, manifest.beat_reading))
    now = dict(contexts)
    judged = []
    for each in weighed:
        context = now.get(each.due.stream) or PatientContext()
        if isinstance(each, _Checked):
            found = _judge_check(context, each.due, each.measured)
        else:
            found = _judge_window(context, each, list(islice(classed, each.beats)), manifest)
        now[each.due.stream] = found.context
        judged.append(found)
    return judged


def _weigh_all(
    contexts: Mapping[StreamId, PatientContext], due: Sequence[Due], results: Sequence[Result], calibration: Calibration
) -> list[_Weighed | _Checked]:
    """Describe the beats of all windows, each against what the one before it left.

    The first windows of all streams are described in one go, then the second ones, and so on.
    """
    weighed: list[_Weighed | _Checked | None] = [None] * len(due)
    turns: list[list[tuple[int, DueWindow, Score]]] = []
    seen: Counter[StreamId] = Counter()
    for place, (each, result) in enumerate(zip(due, results, strict=True)):
        if isinstance(each, RapidCheck) and isinstance(result, Measured):
            weighed[place] = _Checked(each, result)
        elif isinstance(each, DueWindow) and isinstance(result, Score):
            if seen[each.stream] == len(turns):
                turns.append([])
            turns[seen[each.stream]].append((place, each, result))
            seen[each.stream] += 1
        else:
            raise TypeError(f"a {type(each).__name__} cannot be judged by a {type(result).__name__}")
    baselines = {stream: context.baseline for stream, context in contexts.items()}
    ends_ns = {stream: context.rhythm.end_ns for stream, context in contexts.items()}
    for turn in turns:
        jumps_ns, windows = [], []
        for _, window, score in turn:
            before = baselines.get(window.stream, _NOTHING_USUAL)
            jump_ns = _jump_ns(window, before, ends_ns.get(window.stream))
            before = before.shifted(jump_ns) if jump_ns else before
            jumps_ns.append(jump_ns)
            windows.append(Unweighed(before, score, window.new_from_ns, window.end_ns))
        for (place, window, score), jump_ns, (after, found) in zip(
            turn, jumps_ns, weigh_windows(windows, calibration), strict=True
        ):
            baselines[window.stream], ends_ns[window.stream] = after, window.end_ns
            weighed[place] = _Weighed(window, score, after, found, jump_ns)
    return [each for each in weighed if each is not None]


_NOTHING_USUAL = PersonalBaseline()


def _jump_ns(due: DueWindow, baseline: PersonalBaseline, before_ns: int | None) -> int:
    """Return how far the device's clock jumped before a window: turned back, it must not hide the beats to come."""
    if baseline.last_beat_ns is None or before_ns is None:
        return 0
    jump_ns = due.new_from_ns - before_ns - round(due.gap_before_s * 1e9)
    return jump_ns if abs(jump_ns) > CLOCK_TOLERANCE_NS else 0


def _judge_window(
    context: PatientContext, weighed: _Weighed, classed: Sequence[ClassedBeat], manifest: Manifest
) -> Judged:
    due, score = weighed.due, weighed.score
    judgement, reported = judge_window(
        weighed.window,
        classed,
        context.reported.shifted(weighed.jump_ns) if weighed.jump_ns else context.reported,
        start_ns=due.start_ns,
        next_start_ns=due.start_ns + due.hop_s * 1_000_000_000,
        fibrillates=context.rhythm.fibrillates,
        calibration=manifest.calibration,
    )
    rhythm, findings = _rhythm(context, due, score, judgement)
    verdict = make_verdict(due, score, judgement, findings, manifest=manifest)
    after = PatientContext(baseline=weighed.baseline, reported=reported, rhythm=rhythm, usual_swing=context.usual_swing)
    return Judged(after, (verdict,))


def _rhythm(
    context: PatientContext, due: DueWindow, score: Score, judgement: Judgement
) -> tuple[RhythmState, tuple[RhythmFinding, ...]]:
    """The findings that began or grew in a window, and the state after it.

    The rapid checks in the window have a say: beats that the networks do not find in a restless signal are no silence,
    and no flutter begins that no checks have seen.
    """
    state, checks = context.rhythm, context.usual_swing
    _, flat, _, _ = score.quality
    leakage = NO_WAVE if score.leakage is None else score.leakage
    holes = [(time_of(start, due.end_ns), time_of(end, due.end_ns)) for start, end in score.holes]
    # Those that end with or before the beats handed over; of one that goes on, the next window tells.
    first_ns, last_ns = due.new_from_ns - SETTLE_NS, due.end_ns - SETTLE_NS
    open_from_ns = min((start for start, end in holes if end > last_ns), default=due.end_ns)
    span = Span(
        start_ns=due.new_from_ns,
        end_ns=due.end_ns,
        settled_ns=min(due.end_ns - SETTLE_NS - OVERLAP_NS, open_from_ns),
        usable=score.lead is not None,
        holes=tuple(hole for hole in holes if first_ns < hole[1] <= last_ns),
        # Nobody knows how well beats are found in a stand-in: silence is left to the rapid check, which knows its
        # swing.
        doubtful_ns=round(
            (flat if checks.lately_still and not score.lacking else 1.0) * (due.end_ns - due.new_from_ns)
        ),
        leakage=leakage if checks.lately_wave else max(leakage, FLUTTER_LEAKAGE),
        sways=checks.lately_swaying,
        noisy="noisy" in score.flags,
        p_waves=score.p_waves,
    )
    after, found = step(state, ((beat.t_ns, beat.beat_class or "Q") for beat in judgement.beats), span)
    return after, (*_still_there(state, found, due), *found) if span.usable else found


def _still_there(before: RhythmState, found: tuple[RhythmFinding, ...], due: DueWindow) -> tuple[RhythmFinding, ...]:
    """Findings that reach into the part of a window that the windows before held; none where they do not overlap."""
    named = {(each.family, each.start_ns) for each in found}
    flutters = [each for each in (*before.latest, *found) if each.kind == "ventricular_flutter"]
    return tuple(
        each
        for each in before.latest
        if due.start_ns < each.end_ns <= due.new_from_ns
        and (each.family, each.start_ns) not in named
        # What is found in the waves of a flutter are no beats.
        and not any(flutter.start_ns <= each.end_ns < flutter.end_ns for flutter in flutters)
    )


def _judge_check(context: PatientContext, check: RapidCheck, measured: Measured) -> Judged:
    usual_qrs: Float32Array | None = None
    # Which point of a QRS is its peak, and which QRS is usual, is not sure in a stand-in for a lead with holes: whether
    # its beats are strange is left to the windows.
    if len(measured.peaks) and measured.judged is not None and (measured.judged == 0 or measured.off[0]):
        # A tachycardia is told by nothing but this difference: a mean that is still taking shape is no measure for it.
        usual = context.baseline.usual_qrs(check.lead(measured.judged), least_beats=QRS_BEATS)
        usual_qrs = None if usual is None else usual.astype(np.float32)
    usual_swing, sign = judge_check(measured, context.usual_swing, usual_qrs)
    context = PatientContext(
        baseline=context.baseline, reported=context.reported, rhythm=context.rhythm, usual_swing=usual_swing
    )
    if sign is None or measured.judged is None:
        return Judged(context, ())
    return Judged(context, (make_urgent(check, measured, measured.judged, sign),))
