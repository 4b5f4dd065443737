"""One alarm and how it changes: from its start to its end, by windows, people and time. Pure.

Every change gives a new alarm and the message that tells of it; each message takes the next sequence number.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from alerting.conditions import Observation, kind_of, label_of, mdc_of
from alerting.patient_time import NS, StreamKey
from alerting.rules import Rule
from bus.messages import AlarmPhase, Alert, Condition, Quality
from ecg.urgency import PROMPT, AlarmPriority, AlarmState

MAX_ESCALATIONS = 3  # who has not come by then is not called by a fourth


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Origin of an alarm's last window; ``stream`` is None where it came from none."""

    verdict: str
    device: str | None = None
    stream: StreamKey | None = None
    lead: str | None = None
    models: dict[str, str]
    quality: Quality | None = None
    heart_rate_bpm: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm that has started and not ended.

    Attributes
    ----------
    id, condition, onset_ns, detected_ns : as ``bus.messages.Alert`` has them
    sequence : of the next message
    priority, escalations : as they are now
    present : whether the condition is there; gone, a latched alarm waits for somebody
    clean : windows in a row without it
    windows, returned_ns, score, threshold : see ``Alert``
    sight, origin : the last window in which it was seen
    acknowledged_by, acknowledged_ns, silenced_by, silenced_until_ns : what people did
    told_ns : time of the last message
    attended_ns : since when nobody has attended to it
    """

    id: str
    condition: Condition
    onset_ns: int
    detected_ns: int
    sequence: int = 0
    priority: AlarmPriority
    escalations: int = 0
    present: bool = True
    clean: int = 0
    windows: int
    returned_ns: int | None = None
    score: float | None
    threshold: float | None
    sight: Observation
    origin: Origin
    acknowledged_by: str | None = None
    acknowledged_ns: int | None = None
    silenced_by: str | None = None
    silenced_until_ns: int | None = None
    told_ns: int
    attended_ns: int

    @property
    def sounds(self) -> bool:
        """True while it calls for somebody: neither acknowledged nor silenced."""
        return self.acknowledged_by is None and self.silenced_until_ns is None

    @property
    def asks(self) -> bool:
        """True where it asks for an answer, as its priority is now."""
        return self.priority in PROMPT

    @property
    def state(self) -> AlarmState:
        """Its newest message."""
        if self.acknowledged_by is not None:
            return "acknowledged"
        if self.silenced_until_ns is not None:
            return "silenced"
        return "active" if self.present else "latched"

    def seen(self, observation: Observation, origin: Origin) -> "Alarm":
        """The condition is in another window."""
        better = observation.score is not None and (self.score is None or observation.score > self.score)
        return replace(
            self,
            clean=0,
            present=True,
            returned_ns=self.returned_ns if self.present else observation.onset_ns,
            windows=self.windows + 1,
            score=observation.score if better else self.score,
            threshold=observation.threshold if better else self.threshold,
            sight=observation,
            origin=origin,
        )

    def shifted(self, by_ns: int) -> "Alarm":
        """All times on a clock that was moved."""

        def moved(t_ns: int | None) -> int | None:
            return None if t_ns is None else t_ns + by_ns

        return replace(
            self,
            onset_ns=self.onset_ns + by_ns,
            detected_ns=self.detected_ns + by_ns,
            told_ns=self.told_ns + by_ns,
            attended_ns=self.attended_ns + by_ns,
            returned_ns=moved(self.returned_ns),
            acknowledged_ns=moved(self.acknowledged_ns),
            silenced_until_ns=moved(self.silenced_until_ns),
            sight=self.sight.moved(by_ns),
        )


class Deadline(NamedTuple):
    """The next change of an alarm by time passing."""

    due_ns: int
    phase: AlarmPhase


def deadline(alarm: Alarm, rule: Rule) -> Deadline | None:
    """Return what is next due: the end of a silence ("update"), an escalation, or a repetition ("continue").

    What asks for no answer is not told again, and is escalated only to a priority that asks for one.
    """
    if alarm.silenced_until_ns is not None:
        return Deadline(alarm.silenced_until_ns, "update")
    due: list[Deadline] = []
    rises = alarm.asks or rule.escalate_to in PROMPT
    if alarm.sounds and rises and rule.escalate_s is not None and alarm.escalations < MAX_ESCALATIONS:
        due.append(Deadline(alarm.attended_ns + round(rule.escalate_s * NS), "escalate"))
    if alarm.sounds and alarm.asks and rule.retell_s is not None:
        due.append(Deadline(alarm.told_ns + round(rule.retell_s * NS), "continue"))
    return min(due, default=None)


def passed(alarm: Alarm, rule: Rule, phase: AlarmPhase, now_ns: int) -> Alarm:
    """The alarm once a deadline has passed."""
    if phase == "update":
        return replace(alarm, silenced_by=None, silenced_until_ns=None, attended_ns=now_ns)
    if phase == "escalate":
        return replace(
            alarm,
            escalations=alarm.escalations + 1,
            priority=rule.escalate_to or alarm.priority,
            attended_ns=now_ns,
        )
    return alarm


def acknowledged(alarm: Alarm, rule: Rule, *, by: str, now_ns: int) -> Alarm:
    """Somebody has seen it."""
    return replace(
        alarm,
        acknowledged_by=by,
        acknowledged_ns=now_ns,
        silenced_by=None,
        silenced_until_ns=None,
        priority=rule.priority if alarm.escalations else alarm.priority,
        escalations=0,
        attended_ns=now_ns,
    )


def silenced(alarm: Alarm, *, by: str, until_ns: int) -> Alarm:
    """Its sound is held until a time."""
    return replace(alarm, silenced_by=by, silenced_until_ns=until_ns)


def unsilenced(alarm: Alarm, *, now_ns: int) -> Alarm:
    """It sounds again."""
    return replace(alarm, silenced_by=None, silenced_until_ns=None, attended_ns=now_ns)


def emit(
    alarm: Alarm, phase: AlarmPhase, *, patient: str, device: str, now_ns: int, why: tuple[str, ...] = ()
) -> tuple[Alarm, Alert]:
    """The message that tells of an alarm, and the alarm once it is told.

    Parameters
    ----------
    alarm : as it stands
    phase : what the message tells
    patient, device : whose
    now_ns : up to where the stream has come, ns
    why : reasons of the message beside the alarm's own
    """
    alert = Alert(
        id=alarm.id,
        sequence=alarm.sequence,
        patient=patient,
        device=device,
        lead=alarm.origin.lead,
        condition=alarm.condition,
        label=label_of(alarm.condition),
        mdc=mdc_of(alarm.condition),
        kind=kind_of(alarm.condition),
        phase=phase,
        state="inactive" if phase == "end" else alarm.state,
        priority=alarm.priority,
        escalations=alarm.escalations,
        # Moved along with a clock that was turned to 1970, what began earlier began before: no time is below 0.
        onset_ns=max(0, alarm.onset_ns),
        last_ns=max(0, alarm.sight.last_ns),
        returned_ns=alarm.returned_ns,
        detected_ns=max(0, alarm.detected_ns),
        told_ns=now_ns,
        end_ns=now_ns if phase == "end" else None,
        windows=alarm.windows,
        score=alarm.score,
        threshold=alarm.threshold,
        value=alarm.sight.value,
        limit=alarm.sight.limit,
        unit=alarm.sight.unit,
        heart_rate_bpm=alarm.origin.heart_rate_bpm,
        quality=alarm.origin.quality,
        models=alarm.origin.models,
        reasons=(*why, *alarm.sight.reasons),
        verdict=alarm.origin.verdict,
        acknowledged_by=alarm.acknowledged_by,
        acknowledged_ns=alarm.acknowledged_ns,
        silenced_by=alarm.silenced_by,
        silenced_until_ns=alarm.silenced_until_ns,
    )
    return replace(alarm, sequence=alarm.sequence + 1, told_ns=now_ns), alert
