"""The core: verdicts in, alerts out. A pure function; time is the recording's own.

Two kinds of episode run side by side for each patient, by the same rule with other counts. A physiological one
is made of abnormal windows and looks at usable windows only: an unusable window neither starts nor ends it. A
technical one is made of unusable windows. At most one alert of each kind is open for a patient.
"""

from functools import reduce
from itertools import dropwhile
from typing import Literal

from pydantic import BaseModel, ConfigDict

from alerting.settings import AlertingSettings
from bus.messages import Alert, Probability, Verdict

Kind = Literal["physiological", "technical"]
Priority = Literal["high", "medium", "low"]

PRIORITIES: dict[Kind, Priority] = {"physiological": "medium", "technical": "low"}
MAX_REASONS = 16  # an alert that lasts for hours must not grow without end


class _State(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Mark(_State):
    """What an episode takes from a window; ``hit`` says whether the window counts as part of one."""

    hit: bool
    start_ns: int
    end_ns: int
    score: Probability | None
    threshold: Probability | None
    heart_rate_bpm: float | None
    reasons: tuple[str, ...]
    verdict: str


class OpenAlert(_State):
    """An alert that has started and not ended.

    ``windows`` counts the windows that make the episode, ``told_windows`` how many of them the last message
    told, ``clean`` the windows in a row since the last that belongs to it. ``score`` and ``threshold`` are those
    of the highest-scored window, ``verdict`` is the last that belongs to the episode.
    """

    onset_ns: int
    last_ns: int
    sequence: int
    windows: int
    told_windows: int
    clean: int
    score: Probability | None
    threshold: Probability | None
    heart_rate_bpm: float | None
    reasons: tuple[str, ...]
    verdict: str


class Tracker(_State):
    """One kind of episode of one patient: the windows that may start one, or the alert that is open.

    ``recent`` begins with a window that counts; ``seen_ns`` is the end of the last window looked at.
    """

    recent: tuple[Mark, ...] = ()
    open: OpenAlert | None = None
    seen_ns: int = 0

    @property
    def idle(self) -> bool:
        """Whether nothing here can change what is to come."""
        return self.open is None and not self.recent


class PatientState(_State):
    """All that a patient's next verdict is held against. A patient without trouble has none."""

    schema_version: Literal[1] = 1
    patient: str
    device: str
    stream_start_ns: int
    window: int
    start_ns: int
    physiological: Tracker
    technical: Tracker

    @property
    def trackers(self) -> tuple[tuple[Kind, Tracker], ...]:
        """Both kinds of episode."""
        return ("physiological", self.physiological), ("technical", self.technical)


class Rule(_State):
    """When episodes of one kind start, are told again and end; counts are windows."""

    kind: Kind
    start_hits: int
    start_of: int
    end_clean: int
    continue_every: int
    max_gap_ns: int


def rules(settings: AlertingSettings) -> tuple[Rule, Rule]:
    """The physiological and the technical rule that the settings ask for."""
    max_gap_ns = round(settings.max_gap_s * 1e9)
    return (
        Rule(
            kind="physiological",
            start_hits=settings.start_abnormal,
            start_of=settings.start_of,
            end_clean=settings.end_clean,
            continue_every=settings.continue_every,
            max_gap_ns=max_gap_ns,
        ),
        Rule(
            kind="technical",
            start_hits=settings.technical_start,
            start_of=settings.technical_start,
            end_clean=settings.technical_end,
            continue_every=settings.continue_every,
            max_gap_ns=max_gap_ns,
        ),
    )


def step(
    state: PatientState | None, verdict: Verdict, settings: AlertingSettings
) -> tuple[PatientState | None, tuple[Alert, ...]]:
    """The patient's state after a verdict, and the alerts to tell.

    Parameters
    ----------
    state : what the last ``step`` of this patient returned; None for a patient without trouble
    verdict : the patient's next verdict
    settings : the rules of the episodes

    Returns
    -------
    The new state, None when nothing of the past matters any more; and the alerts in the order to send them.
    A verdict that was judged already (same stream, no later window) changes nothing.
    """
    alerts: list[Alert] = []
    if state is not None:
        same_stream = verdict.stream_start_ns == state.stream_start_ns
        if same_stream and verdict.window <= state.window:
            return state, ()
        if not same_stream or verdict.start_ns <= state.start_ns:  # a new stream, or its clock was turned back
            alerts += _end_all(state)
            state = None
    physiological, technical = rules(settings)
    vital = state.physiological if state else Tracker()
    signal = state.technical if state else Tracker()
    if verdict.decision != "unusable":
        vital = _track(physiological, vital, verdict, alerts, hit=verdict.decision == "abnormal")
    signal = _track(technical, signal, verdict, alerts, hit=verdict.decision == "unusable")
    if vital.idle and signal.idle:
        return None, tuple(alerts)
    new = PatientState(
        patient=verdict.patient,
        device=verdict.device,
        stream_start_ns=verdict.stream_start_ns,
        window=verdict.window,
        start_ns=verdict.start_ns,
        physiological=vital,
        technical=signal,
    )
    return new, tuple(alerts)


def _track(rule: Rule, tracker: Tracker, verdict: Verdict, alerts: list[Alert], *, hit: bool) -> Tracker:
    who = (verdict.patient, verdict.device)
    mark = _mark(verdict, hit=hit)
    if not tracker.idle and mark.start_ns - tracker.seen_ns > rule.max_gap_ns:
        if tracker.open:
            alerts.append(_alert(rule.kind, tracker.open, who, "end"))
        tracker = Tracker()
    if tracker.open:
        now = _grow(tracker.open, mark) if hit else _rest(tracker.open)
        if now.clean >= rule.end_clean:
            alerts.append(_alert(rule.kind, now, who, "end"))
            return Tracker()
        if now.windows - now.told_windows >= rule.continue_every:
            now = now.model_copy(update={"sequence": now.sequence + 1, "told_windows": now.windows})
            alerts.append(_alert(rule.kind, now, who, "continue"))
        return Tracker(open=now, seen_ns=mark.end_ns)
    marks = (*tracker.recent, mark)[-rule.start_of :]
    recent = tuple(dropwhile(lambda each: not each.hit, marks))
    hits = [each for each in recent if each.hit]
    if hit and len(hits) >= rule.start_hits:
        started = _start(hits)
        alerts.append(_alert(rule.kind, started, who, "start"))
        return Tracker(open=started, seen_ns=mark.end_ns)
    return Tracker(recent=recent, seen_ns=mark.end_ns)


def _mark(verdict: Verdict, *, hit: bool) -> Mark:
    return Mark(
        hit=hit,
        start_ns=verdict.start_ns,
        end_ns=verdict.end_ns,
        score=verdict.fused,
        threshold=verdict.threshold if verdict.fused is not None else None,
        heart_rate_bpm=verdict.heart_rate_bpm,
        reasons=tuple(dict.fromkeys(verdict.reasons))[:MAX_REASONS],
        verdict=verdict.id,
    )


def _start(hits: list[Mark]) -> OpenAlert:
    first, *more = hits
    alert = OpenAlert(
        onset_ns=first.start_ns,
        last_ns=first.end_ns,
        sequence=0,
        windows=1,
        told_windows=len(hits),
        clean=0,
        score=first.score,
        threshold=first.threshold,
        heart_rate_bpm=first.heart_rate_bpm,
        reasons=first.reasons,
        verdict=first.verdict,
    )
    return reduce(_grow, more, alert)


def _grow(alert: OpenAlert, mark: Mark) -> OpenAlert:
    update: dict[str, object] = {
        "last_ns": mark.end_ns,
        "windows": alert.windows + 1,
        "clean": 0,
        "reasons": tuple(dict.fromkeys((*alert.reasons, *mark.reasons)))[:MAX_REASONS],
        "verdict": mark.verdict,
    }
    if mark.heart_rate_bpm is not None:
        update["heart_rate_bpm"] = mark.heart_rate_bpm
    if mark.score is not None and (alert.score is None or mark.score > alert.score):
        update |= {"score": mark.score, "threshold": mark.threshold}
    return alert.model_copy(update=update)


def _rest(alert: OpenAlert) -> OpenAlert:
    return alert.model_copy(update={"clean": alert.clean + 1})


def _end_all(state: PatientState) -> list[Alert]:
    who = (state.patient, state.device)
    return [_alert(kind, tracker.open, who, "end") for kind, tracker in state.trackers if tracker.open]


def _alert(kind: Kind, alert: OpenAlert, who: tuple[str, str], phase: Literal["start", "continue", "end"]) -> Alert:
    patient, device = who
    return Alert(
        id=f"{patient}/{alert.onset_ns}/{kind}",
        sequence=alert.sequence + (phase == "end"),
        patient=patient,
        device=device,
        phase=phase,
        kind=kind,
        priority=PRIORITIES[kind],
        onset_ns=alert.onset_ns,
        last_ns=alert.last_ns,
        end_ns=alert.last_ns if phase == "end" else None,
        windows=alert.windows,
        score=alert.score,
        threshold=alert.threshold,
        heart_rate_bpm=alert.heart_rate_bpm,
        reasons=alert.reasons,
        verdict=alert.verdict,
    )
