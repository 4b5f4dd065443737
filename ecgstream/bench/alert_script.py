"""Scripts of patients while the alert service is killed: verdicts, people who answer, and what must come of it.

Each patient's script is worked through the policy itself, so that every message that is due is known before it comes.
A person answers what was seen on the topic, and the next verdict waits until the answer has taken effect: so the order
of the two, and with it every message, is the same however often the service dies.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

from alerting.policy import Event, policy
from alerting.rules import AlarmRules
from alerting.state import PatientState
from bus.messages import Alert, AlertCommand, Verdict
from ecg.windows import HOP_S

ANSWERED = 0.5  # of the alarms that start
HOP_NS = HOP_S * 1_000_000_000


class PatientScript:
    """A patient, and all that is due about it.

    Parameters
    ----------
    patient : the patient id
    verdicts : on a recording's windows, in order; at their end they begin again, as one stream
    first : with which of them the stream begins
    rules : what alarms
    seeded : decides which alarms are answered
    """

    def __init__(
        self, patient: str, verdicts: Sequence[Verdict], first: int, rules: AlarmRules, seeded: random.Random
    ) -> None:
        self.patient = patient
        self.expected: list[Alert] = []
        self.end_ns = 0
        self.windows = self.commands = 0
        self._verdicts = verdicts
        self._first = first
        self._rules = rules
        self._seeded = seeded
        self._state: PatientState | None = None

    async def live(
        self,
        stop: asyncio.Event,
        *,
        send: Callable[[Verdict | AlertCommand], Awaitable[None]],
        seen: Callable[[Alert], Awaitable[None]],
        pace_s: float,
        now_ns: Callable[[], int],
    ) -> None:
        """Go through it until ``stop`` is set.

        Parameters
        ----------
        stop : set it to end behind the next verdict and its answers
        send : puts a message on its topic
        seen : waits until a message has come on the topic of alarms
        pace_s : wall time from one verdict to the next
        now_ns : wall time, ns UTC
        """
        while not stop.is_set():
            verdict = self._next()
            due = self._take(verdict)
            await send(verdict)
            for alert in due:
                if alert.phase == "start" and self._seeded.random() < ANSWERED:
                    await seen(alert)
                    self.commands += 1
                    answer = AlertCommand(
                        id=f"{self.patient}-{self.commands}",
                        patient=self.patient,
                        action="acknowledge",
                        alert=alert.id,
                        by="chaos",
                        sent_ns=now_ns(),
                    )
                    effects = self._take(answer)
                    await send(answer)
                    for effect in effects:
                        await seen(effect)
            await asyncio.sleep(pace_s)

    def _take(self, event: Event) -> list[Alert]:
        self._state, actions = policy(self._state, event, self._rules)
        due = [action for action in actions if isinstance(action, Alert)]
        self.expected += due
        return due

    def _next(self) -> Verdict:
        """The next window's verdict, moved to its place in the patient's stream."""
        source = self._verdicts[(self._first + self.windows) % len(self._verdicts)]
        begin_ns = self._verdicts[0].stream_start_ns
        start_ns = begin_ns + self.windows * HOP_NS
        by_ns = start_ns - source.start_ns
        moved = source.model_copy(
            update={
                "id": f"{self.patient}/{begin_ns}/{self.windows}",
                "patient": self.patient,
                "stream_start_ns": begin_ns,
                "window": self.windows,
                "start_ns": start_ns,
                "end_ns": start_ns + HOP_NS,
                "beats": (),  # alarms do not look at them
                "findings": tuple(
                    finding.model_copy(update={"start_ns": finding.start_ns + by_ns, "end_ns": finding.end_ns + by_ns})
                    for finding in source.findings
                ),
            }
        )
        self.windows += 1
        self.end_ns = moved.end_ns
        return moved
