"""What alerting remembers of a patient between two events."""

from dataclasses import dataclass, field

from alerting.alarm import Alarm
from alerting.conditions import Sight
from bus.messages import Condition

REMEMBERED_COMMANDS = 64  # ids of the newest; who sends a command again does so within moments


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientState:
    """One patient, from the first message until nothing was heard for so long that it is forgotten.

    Attributes
    ----------
    patient, device : who, and by which device
    stream_start_ns, window, verdict : the newest verdict's; before the first, -1 and the urgent message's id
    start_ns, seen_ns : where its window starts and ends
    now_ns : up to where time has passed, by verdicts or by silence
    silenced_by, silenced_until_ns : the patient's alarms below high are held until then
    commands : ids of the newest commands
    recent : by condition without an alarm, the last windows that could tell of it; None where it was absent
    alarms : by condition, those that have started and not ended
    ended : when the last alarm of a condition ended, ns: what was urgent before then is no news
    """

    patient: str
    device: str
    stream_start_ns: int
    window: int
    verdict: str
    start_ns: int
    seen_ns: int
    now_ns: int
    silenced_by: str | None = None
    silenced_until_ns: int | None = None
    commands: tuple[str, ...] = ()
    recent: dict[Condition, tuple[Sight | None, ...]] = field(default_factory=dict)
    alarms: dict[Condition, Alarm] = field(default_factory=dict)
    ended: dict[Condition, int] = field(default_factory=dict)
