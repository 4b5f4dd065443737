"""A patient's state between two events."""

from dataclasses import dataclass, field

from alerting.alarm import Alarm
from alerting.conditions import Observation
from alerting.patient_time import Stream
from bus.messages import Condition

REMEMBERED_COMMANDS = 64  # ids of the newest; who sends a command again does so within moments


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientState:
    """One patient, from the first message until nothing was heard for so long that it is forgotten.

    Attributes
    ----------
    patient, device : who, and by which device
    verdict : the newest verdict's id; before the first, the urgent message's, or "" where none came
    streams, seen_ns, spent_ns : see ``alerting.patient_time``
    now_ns : up to where time has passed, by verdicts or by silence
    silenced_by, silenced_until_ns : the patient's alarms below high are held until then
    refusals : the last refused messages, and None for each window since without one
    refused : whether a message was refused since the newest verdict
    commands : ids of the newest commands
    alarms : by condition, those that have started and not ended
    ended : when the last alarm of a condition ended, ns: what was urgent before then is no news
    """

    patient: str
    device: str
    verdict: str
    seen_ns: int
    spent_ns: int
    now_ns: int
    streams: tuple[Stream, ...] = ()
    silenced_by: str | None = None
    silenced_until_ns: int | None = None
    refusals: tuple[Observation | None, ...] = ()
    refused: bool = False
    commands: tuple[str, ...] = ()
    alarms: dict[Condition, Alarm] = field(default_factory=dict)
    ended: dict[Condition, int] = field(default_factory=dict)

    @property
    def heard(self) -> bool:
        """True once a verdict or an urgent message came; of others only refused messages are known."""
        return bool(self.verdict)
