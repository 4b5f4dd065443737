"""One patient as the topics tell of them: where the stream stands, what was judged, which alarms are open. Pure."""

from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple

from bus.messages import Alert
from bus.samples import Chunk
from ecg.leads import choose_leads
from web.live.frames import ANEW, HOLE
from web.live.summary import PatientSummary, VerdictBrief, brief_of, state_of, urgency_of
from web.live.verdicts import VerdictHead, VerdictLog

RECENT_S = 12.0  # of samples are kept: a trace is whole as soon as somebody looks
CLOCK_TOLERANCE_NS = 100_000_000  # a clock that strays further from its sample count has been set
_NS = 1_000_000_000


class Arrived(NamedTuple):
    """Samples that go on from those before.

    Attributes
    ----------
    chunk : what is new of the message
    flags : as ``web.live.frames`` has them
    sent_ms : when they were handed to Kafka, ms UTC
    """

    chunk: Chunk
    flags: int
    sent_ms: int


@dataclass(slots=True)
class Bedside:
    """One patient.

    Attributes
    ----------
    patient : the id
    latest : the newest samples
    recent : those of the last seconds
    verdicts : what was judged
    alarms : those that are open, by id
    """

    patient: str
    latest: Arrived | None
    recent: deque[Arrived]
    verdicts: VerdictLog
    alarms: dict[str, Alert]

    @classmethod
    def empty(cls, patient: str) -> "Bedside":
        """A patient of whom nothing is known yet."""
        return cls(patient, None, deque(), VerdictLog(), {})

    def take_chunk(self, chunk: Chunk, sent_ms: int) -> Arrived | None:
        """Take samples in; None when they were there already, or come too late to be shown."""
        flags = 0
        if self.latest is not None:
            before = self.latest.chunk
            if _source(before) != _source(chunk) or abs(_base_ns(before) - _base_ns(chunk)) > CLOCK_TOLERANCE_NS:
                flags = ANEW | HOLE
                self.recent.clear()
            elif chunk.end_index <= before.end_index:
                return None
            elif chunk.start_index > before.end_index:
                flags = HOLE
            elif chunk.start_index < before.end_index:
                chunk = _behind(chunk, before.end_index)
        arrived = self.latest = Arrived(chunk, flags, sent_ms)
        self.recent.append(arrived)
        while self.recent[0].chunk.end_index < chunk.end_index - RECENT_S * chunk.fs_hz:
            self.recent.popleft()
        return arrived

    def open_alarms(self) -> list[Alert]:
        """Those that are open, the most urgent first."""
        return sorted(self.alarms.values(), key=urgency_of)

    def summary(self, *, silent: bool) -> PatientSummary:
        """The patient in one line.

        Parameters
        ----------
        silent : whether nothing has come for too long
        """
        chunk = self.latest.chunk if self.latest else None
        newest = self.verdicts.newest
        alert = next(iter(self.open_alarms()), None)
        alarm = brief_of(alert) if alert else None
        leads = chunk.leads if chunk else ()
        return PatientSummary(
            patient=self.patient,
            device=chunk.device if chunk else newest.device if newest else alert.device if alert else "",
            leads=leads,
            fs_hz=chunk.fs_hz if chunk else None,
            lead=newest.lead if newest and newest.lead in leads else _first_lead(leads),
            last_sample_ns=_end_ns(chunk) if chunk else None,
            last_wall_ms=self.latest.sent_ms if self.latest else None,
            heart_rate_bpm=newest.heart_rate_bpm if newest else None,
            state=state_of(alarm, newest.decision if newest else None, silent=silent),
            alarm=alarm,
            open_alarms=len(self.alarms),
            verdict=_brief(newest) if newest else None,
        )


def _brief(head: VerdictHead) -> VerdictBrief:
    return VerdictBrief(
        id=head.id,
        decision=head.decision,
        fused=head.fused,
        threshold=head.threshold,
        start_ns=head.start_ns,
        end_ns=head.end_ns,
        reasons=head.reasons,
    )


def _first_lead(leads: tuple[str, ...]) -> str | None:
    return leads[choose_leads(leads)[0]] if leads else None


def _source(chunk: Chunk) -> tuple[object, ...]:
    return chunk.device, chunk.fs_hz, chunk.leads, chunk.gain, chunk.baseline


def _base_ns(chunk: Chunk) -> int:
    """The time of the stream's sample 0, ns UTC."""
    return chunk.start_ns - round(chunk.start_index * _NS / chunk.fs_hz)


def _end_ns(chunk: Chunk) -> int:
    return chunk.start_ns + round(len(chunk.samples) * _NS / chunk.fs_hz)


def _behind(chunk: Chunk, index: int) -> Chunk:
    """The part of a chunk from an index on."""
    cut = index - chunk.start_index
    return replace(
        chunk,
        start_ns=chunk.start_ns + round(cut * _NS / chunk.fs_hz),
        start_index=index,
        samples=chunk.samples[cut:],
    )
