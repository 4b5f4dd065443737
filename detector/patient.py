"""The detector's context of a patient beside the signal, and the judging of a result against it. Pure.

A stream's windows and rapid checks are to be judged in the order in which they were due, each with the context that the
one before gave.
"""

from dataclasses import dataclass, field

from bus.messages import Urgent, Verdict
from bus.samples import CLOCK_TOLERANCE_NS
from detector.baseline import PersonalBaseline
from detector.due import Due, DueWindow, RapidCheck
from detector.judgement import OVERLAP_NS, SETTLE_NS, Judgement, judge_window, time_of
from detector.manifest import Manifest
from detector.rapid_check import make_urgent
from detector.score import Result, Score
from detector.verdicts import make_verdict
from ecg.fibrillation import NO_WAVE
from ecg.findings import RhythmFinding
from ecg.lethal import Measured, UsualSwing, judge_check
from ecg.records import Float32Array
from ecg.rhythm import FLUTTER_LEAKAGE, RhythmState, Span, step


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientContext:
    """Past of one stream that judging needs.

    Attributes
    ----------
    baseline : what is usual for the patient, by the windows judged
    rhythm : what the findings of the next verdict need of the beats reported
    usual_swing : what the next rapid check needs of those before
    """

    baseline: PersonalBaseline = field(default_factory=PersonalBaseline)
    rhythm: RhythmState = field(default_factory=RhythmState)
    usual_swing: UsualSwing = field(default_factory=UsualSwing)


def judge(
    context: PatientContext, due: Due, result: Result, *, manifest: Manifest
) -> tuple[PatientContext, tuple[Verdict | Urgent, ...]]:
    """Judge what a window or a rapid check has shown.

    Parameters
    ----------
    context : before it
    due, result : the window with its score, or the rapid check with what was measured
    manifest : of the models that scored

    Returns
    -------
    the context after it, and what is to be published: a verdict on each window, an urgent message on few checks
    """
    if isinstance(due, DueWindow) and isinstance(result, Score):
        return _judge_window(context, due, result, manifest)
    if isinstance(due, RapidCheck) and isinstance(result, Measured):
        return _judge_check(context, due, result)
    raise TypeError(f"a {type(due).__name__} cannot be judged by a {type(result).__name__}")


def _judge_window(
    context: PatientContext, due: DueWindow, score: Score, manifest: Manifest
) -> tuple[PatientContext, tuple[Verdict, ...]]:
    baseline, judgement = judge_window(
        _by_the_clock_of(due, context),
        score,
        new_from_ns=due.new_from_ns,
        start_ns=due.start_ns,
        end_ns=due.end_ns,
        reading=manifest.personal,
        calibration=manifest.calibration,
    )
    rhythm, findings = _rhythm(context, due, score, judgement)
    verdict = make_verdict(due, score, judgement, findings, manifest=manifest)
    after = PatientContext(baseline=baseline, rhythm=rhythm, usual_swing=context.usual_swing)
    return after, (verdict,)


def _by_the_clock_of(due: DueWindow, context: PatientContext) -> PersonalBaseline:
    """The baseline by the clock of a window: turned back, the device's clock must not hide the beats to come."""
    if context.baseline.last_beat_ns is None or context.rhythm.end_ns is None:
        return context.baseline
    jump_ns = due.new_from_ns - context.rhythm.end_ns - round(due.gap_before_s * 1e9)
    return context.baseline.shifted(jump_ns) if abs(jump_ns) > CLOCK_TOLERANCE_NS else context.baseline


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


def _judge_check(
    context: PatientContext, check: RapidCheck, measured: Measured
) -> tuple[PatientContext, tuple[Urgent, ...]]:
    usual_qrs: Float32Array | None = None
    # Which point of a QRS is its peak, and which QRS is usual, is not sure in a stand-in for a lead with holes: whether
    # its beats are strange is left to the windows.
    if len(measured.peaks) and measured.judged is not None and (measured.judged == 0 or measured.off[0]):
        usual_qrs = context.baseline.usual_qrs(check.lead(measured.judged))
    usual_swing, sign = judge_check(measured, context.usual_swing, usual_qrs)
    context = PatientContext(baseline=context.baseline, rhythm=context.rhythm, usual_swing=usual_swing)
    if sign is None or measured.judged is None:
        return context, ()
    return context, (make_urgent(check, measured, measured.judged, sign),)
