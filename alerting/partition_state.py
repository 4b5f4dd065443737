"""The patients of one partition, and whom to look at when: nothing here costs more the more patients there are."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush

from alerting.conditions import kind_of
from alerting.ended_alarms import EndedAlarms
from alerting.state import PatientState
from bus.messages import AlarmKind
from bus.quarantine import Quarantine
from ecg.urgency import AlarmPriority


@dataclass(slots=True, kw_only=True)
class PartitionState:
    """The patients of one partition.

    Attributes
    ----------
    patients : their states
    heard_s : when each was heard last, on the monotonic clock
    changed : whose state was not written since it changed
    open_alarms : how many alarms are open, by kind and priority
    stopped : who has an alarm of a stopped source
    unheard : of whom only refused messages are known
    ended : alarms that are still on the topic
    next_offsets : by topic, of the first message that was not taken in
    unnoted : messages since the place was last noted
    took_s : when the last of them came, on the monotonic clock
    quarantine : the senders of verdicts and urgent messages that could not be used
    """

    patients: dict[str, PatientState]
    heard_s: dict[str, float]
    ended: EndedAlarms
    quarantine: Quarantine
    changed: set[str] = field(default_factory=set)
    open_alarms: Counter[tuple[AlarmKind, AlarmPriority]] = field(default_factory=Counter)
    stopped: set[str] = field(default_factory=set)
    unheard: set[str] = field(default_factory=set)
    next_offsets: dict[str, int] = field(default_factory=dict)
    unnoted: int = 0
    took_s: float = 0.0
    _due: list[tuple[float, str]] = field(default_factory=list)  # a heap
    _due_s: dict[str, float] = field(default_factory=dict)  # by patient, the entry that counts

    def __post_init__(self) -> None:
        for state in self.patients.values():
            self._count(None, state)

    def replace(self, patient: str, after: PatientState | None) -> None:
        """Put a patient's new state in place of the old one; None forgets the patient."""
        self._count(self.patients.get(patient), after)
        if after is None:
            self.patients.pop(patient, None)
            self.heard_s.pop(patient, None)
            self._due_s.pop(patient, None)
            self.stopped.discard(patient)
            self.unheard.discard(patient)
        else:
            self.patients[patient] = after

    def schedule(self, patient: str, due_s: float) -> None:
        """See to it that a patient is looked at by a time of the monotonic clock."""
        if due_s < self._due_s.get(patient, float("inf")):
            self._due_s[patient] = due_s
            heappush(self._due, (due_s, patient))

    def due(self, now_s: float) -> Iterator[str]:
        """Whoever is to be looked at now; each has to be given a time again."""
        while self._due and self._due[0][0] <= now_s:
            due_s, patient = heappop(self._due)
            if self._due_s.get(patient) == due_s:
                del self._due_s[patient]
                yield patient

    def _count(self, before: PatientState | None, after: PatientState | None) -> None:
        for state, by in ((before, -1), (after, 1)):
            if state is not None:
                for alarm in state.alarms.values():
                    self.open_alarms[kind_of(alarm.condition), alarm.priority] += by
        if after is not None:
            _put(self.stopped, after.patient, "source_stopped" in after.alarms)
            _put(self.unheard, after.patient, not after.heard)


def _put(names: set[str], name: str, wanted: bool) -> None:  # private
    if wanted:
        names.add(name)
    else:
        names.discard(name)
