"""One patient as the topics tell of them: where the stream stands, what was judged, which alarms are open. Pure."""

from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple

from alerting.commanding import urgency_of
from bus.messages import Alert
from bus.samples import CLOCK_TOLERANCE_NS, BadChunkError, Chunk, decode, sender_of
from ecg.leads import choose_leads
from web.live.frames import ANEW, HOLE
from web.live.share import RECENT_S, Share, bytes_of
from web.live.streams import AHEAD_S, BACK_S, Streams
from web.live.summary import PatientSummary, Place, VerdictBrief, brief_of, rank_of, state_of
from web.live.unread import Unread
from web.live.verdicts import ALL, VerdictHead, VerdictLog

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
class LivePatient:
    """One patient.

    Attributes
    ----------
    streams : what its devices send, and which of it is shown
    devices : of the streams that send, the shown one first
    latest : the newest samples that are shown
    recent : those of the last seconds
    unread : messages of the last seconds that nobody has looked at, newer than ``recent``
    alarms : those that are open, by id
    """

    patient: str
    streams: Streams
    devices: tuple[str, ...]
    latest: Arrived | None
    recent: deque[Arrived] | None
    recent_bytes: int
    verdicts: VerdictLog
    alarms: dict[str, Alert]
    unread: Unread | None = None

    @classmethod
    def empty(cls, patient: str) -> "LivePatient":
        """A patient of whom nothing is known yet."""
        return cls(patient, Streams(), (), None, None, 0, VerdictLog(), {})

    def take_chunk(self, chunk: Chunk, sent_ms: int, share: Share = ALL) -> Arrived | None:
        """Take samples in; None when they are not shown: they were there already, come too late, or are another's.

        Parameters
        ----------
        sent_ms : when they were handed to Kafka, ms UTC
        """
        shown = self.streams.take(chunk, sent_ms, wanted=self._alarmed_device())
        if not shown or self.streams.others:
            self.devices = self.streams.devices(sent_ms)
        if not shown:
            return None
        flags = 0
        if self.latest is not None:
            before = self.latest.chunk
            if _begins_anew(before, chunk):
                flags = ANEW | HOLE
            elif chunk.end_index <= before.end_index:
                return None
            elif chunk.start_index > before.end_index:
                flags = HOLE
            elif chunk.start_index < before.end_index:
                chunk = _behind(chunk, before.end_index)
        if flags & ANEW or self.latest is None:
            self.forget_samples()
            self.devices = self.streams.devices(sent_ms)
        return self._keep(Arrived(chunk, flags, sent_ms), share)

    def let_wait(self, value: bytes, partition: int) -> None:
        """Let the messages that follow one that is shown wait until somebody looks.

        Parameters
        ----------
        value : that message
        partition : in which it came
        """
        sender = None if self.streams.others else sender_of(value)
        if sender is not None and self.unread is None:
            self.unread = Unread(sender, partition)

    def keep_unread(self, value: bytes, partition: int, sent_ms: int, share: Share = ALL) -> bool:
        """Keep a message as it came; False where it has to be read at once.

        Parameters
        ----------
        partition : in which it came
        sent_ms : when it was handed to Kafka, ms UTC
        """
        if self.unread is None or not self.unread.is_of_sender(value, partition):
            return False
        self.unread.add(value, sent_ms, most_bytes=share.recent_bytes)
        if self.unread.lost or self.recent_bytes + self.unread.held_bytes > share.recent_bytes:
            self.recent, self.recent_bytes = None, 0
        return True

    def read_unread(self, share: Share = ALL) -> int:
        """Read what was kept as it came; how much of it is no samples message."""
        unread, self.unread = self.unread, None
        damaged = 0
        if unread is None:
            return 0
        if unread.lost:
            self.streams = Streams()
        for value, sent_ms in unread.messages:
            try:
                self.take_chunk(decode(value), sent_ms, share)
            except BadChunkError:
                damaged += 1
        return damaged

    def newest_samples(self) -> Arrived | None:
        """Return the newest samples, of those that are not read the last message."""
        if self.unread is not None and self.unread.messages:
            value, sent_ms = self.unread.messages[-1]
            try:
                return Arrived(decode(value), 0, sent_ms)
            except BadChunkError:
                pass  # it is counted when it is read
        return self.latest

    @property
    def sent_ms(self) -> int | None:
        """Return when the newest samples were handed to Kafka, ms UTC."""
        if self.unread is not None and self.unread.messages:
            return self.unread.messages[-1].sent_ms
        return self.latest.sent_ms if self.latest else None

    def forget_samples(self) -> None:
        """Keep no samples but the newest message: nothing comes, or something else."""
        self.recent, self.recent_bytes = None, 0

    def _keep(self, arrived: Arrived, share: Share) -> Arrived:
        chunk = arrived.chunk
        self.latest = arrived
        if self.recent is None:
            self.recent = deque()
        self.recent.append(arrived)
        self.recent_bytes += bytes_of(chunk.samples.nbytes)
        oldest = chunk.end_index - RECENT_S * chunk.fs_hz
        while len(self.recent) > 1 and (
            self.recent[0].chunk.end_index < oldest or self.recent_bytes > share.recent_bytes
        ):
            self.recent_bytes -= bytes_of(self.recent.popleft().chunk.samples.nbytes)
        return arrived

    def _alarmed_device(self) -> str | None:
        """The device that the most urgent open alarm rests on."""
        return min(self.alarms.values(), key=urgency_of).device if self.alarms and self.streams.others else None

    def open_alarms(self) -> list[Alert]:
        """Those that are open, the most urgent first."""
        return sorted(self.alarms.values(), key=urgency_of)

    def place(self, *, silent: bool) -> Place:
        """Return where the patient stands among all, without the cost of a summary.

        Parameters
        ----------
        silent : whether nothing has come for too long
        """
        alert = min(self.alarms.values(), key=urgency_of) if self.alarms else None
        newest = self._newest_verdict()
        state = state_of(alert, newest.decision if newest else None, silent=silent)
        return Place.of(self.patient, rank_of(state, alert))

    def _newest_verdict(self) -> VerdictHead | None:
        """The newest verdict, where several devices send the one on what is shown."""
        if self.latest is not None and len(self.devices) > 1:
            return self.verdicts.newest_of(self.latest.chunk.device)
        return self.verdicts.newest

    def summary(self, *, silent: bool) -> PatientSummary:
        """The patient in one line.

        Parameters
        ----------
        silent : whether nothing has come for too long
        """
        shown = self.newest_samples()
        chunk = shown.chunk if shown else None
        newest = self._newest_verdict()
        alert = next(iter(self.open_alarms()), None)
        alarm = brief_of(alert) if alert else None
        state = state_of(alarm, newest.decision if newest else None, silent=silent)
        leads = chunk.leads if chunk else ()
        return PatientSummary(
            patient=self.patient,
            device=chunk.device if chunk else newest.device if newest else alert.device if alert else "",
            devices=self.devices if len(self.devices) > 1 else (),
            leads=leads,
            fs_hz=chunk.fs_hz if chunk else None,
            lead=newest.lead if newest and newest.lead in leads else _first_lead(leads),
            last_sample_ns=chunk.end_ns if chunk else None,
            last_wall_ms=shown.sent_ms if shown else None,
            heart_rate_bpm=newest.heart_rate_bpm if newest else None,
            state=state,
            rank=rank_of(state, alarm),
            alarm=alarm,
            open_alarms=len(self.alarms),
            verdict=_brief(newest) if newest else None,
        )


def _begins_anew(before: Chunk, chunk: Chunk) -> bool:
    """Return whether samples do not go on from those shown before: another source, clock or place."""
    step = chunk.start_index - before.end_index
    return (
        not chunk.is_of_source(before)
        or abs(before.base_ns - chunk.base_ns) > CLOCK_TOLERANCE_NS
        or not -BACK_S * chunk.fs_hz <= step <= AHEAD_S * chunk.fs_hz
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


def _behind(chunk: Chunk, index: int) -> Chunk:
    """The part of a chunk from an index on."""
    cut = index - chunk.start_index
    return replace(
        chunk,
        start_ns=chunk.start_ns + round(cut * _NS / chunk.fs_hz),
        start_index=index,
        samples=chunk.samples[cut:],
    )
