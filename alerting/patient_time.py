"""A patient's own time: how far it passes by what devices claim. Pure.

Alarms escalate, silences end and telling again falls due in a time that senders may not move at will. It passes by the
number of windows of a stream. A device's clock only names it: when the clock jumps, the names of all times of the
patient move along and nothing falls due. What was never known of a sender bounds all of it: the broker's clock.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

from alerting.conditions import Observation
from bus.messages import Condition, Urgent, Verdict
from ecg.windows import HOP_S, WINDOW_S

NS = 1_000_000_000
WINDOW_NS = WINDOW_S * NS
# A window begins with a whole sample: by so much two may be further apart than their numbers say.
ROUNDING_NS = 20_000_000
TOLERANCE_NS = 60 * NS
# Who was heard by less ago is still there: verdicts of one stream are 5 s apart at most.
PRESENT_NS = 2 * WINDOW_NS
FOREVER_NS = 1 << 80
GAPS_KEPT = 8  # of a run, in which a window may still come late
STREAMS_KEPT = 8  # of a patient; the detector judges fewer at a time


class BrokerTime(NamedTuple):
    """The broker's clock when it took a message: no sender can turn it.

    Attributes
    ----------
    now_ns : ns UTC
    tolerance_ns : by how much a device's clock may be ahead of it
    """

    now_ns: int
    tolerance_ns: int = TOLERANCE_NS

    @property
    def latest_ns(self) -> int:
        """No time is later."""
        return self.now_ns + self.tolerance_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A run of one stream's verdicts: what continues it keeps its time.

    A window number far ahead, which neither the device's clock nor the broker's backs, begins a run of its own beside
    the one before: so it makes no window of the true stream look as if it had been judged.

    Attributes
    ----------
    device, start_ns : which stream
    first, window : the first window of the run, and the newest that was judged
    hop_s : from one window to the next, s
    gaps : first and last of windows in between that were not
    claimed_ns, seen_ns : where that ends, by the device's clock and in the patient's time
    broker_ns : when the broker took its verdict, None where that is not known
    returned : whether it went on after another one had begun: both are live then
    recent : by condition without an alarm, the last windows that could tell of it; None where it was absent
    """

    device: str
    start_ns: int
    first: int
    window: int
    hop_s: int = HOP_S  # records of the release before have none
    gaps: tuple[tuple[int, int], ...] = ()
    claimed_ns: int
    seen_ns: int
    broker_ns: int | None = None
    returned: bool = False
    recent: dict[Condition, tuple[Observation | None, ...]]

    @property
    def key(self) -> "StreamKey":
        """Its name."""
        return StreamKey(self.device, self.start_ns, self.first)

    def is_of(self, message: Verdict | Urgent) -> bool:
        """Return whether a message is of the same stream."""
        return (self.device, self.start_ns) == (message.device, message.stream_start_ns)

    def judged(self, window: int) -> bool:
        """Return whether a window of the stream came before."""
        return self.first <= window <= self.window and not any(low <= window <= high for low, high in self.gaps)

    def gaps_with(self, window: int) -> tuple[tuple[int, int], ...]:
        """The gaps once a window that was not judged is."""
        if window > self.window:
            return (*self.gaps, (self.window + 1, window - 1))[-GAPS_KEPT:] if window > self.window + 1 else self.gaps
        parts = (
            part
            for low, high in self.gaps
            for part in (((low, window - 1), (window + 1, high)) if low <= window <= high else ((low, high),))
        )
        return tuple((low, high) for low, high in parts if low <= high)[-GAPS_KEPT:]

    def shifted(self, by_ns: int) -> "Stream":
        """The run when all of the patient's times are moved."""
        if not by_ns:
            return self
        recent = {
            condition: tuple(None if observation is None else observation.moved(by_ns) for observation in observations)
            for condition, observations in self.recent.items()
        }
        return replace(self, seen_ns=self.seen_ns + by_ns, recent=recent)

    def without(self, condition: Condition) -> "Stream":
        """The run, with nothing seen of a condition."""
        recent = {name: observations for name, observations in self.recent.items() if name != condition}
        return self if condition not in self.recent else replace(self, recent=recent)


class StreamKey(NamedTuple):
    """Tells the runs of a patient's streams apart."""

    device: str
    start_ns: int
    first: int


class Placed(NamedTuple):
    """The end of a window in the patient's time.

    Attributes
    ----------
    run : that it continues, None where it begins one
    passed_ns : up to where time passes by it, before anything is moved
    shift_ns : by how much all of the patient's times are to be moved then
    """

    run: Stream | None
    passed_ns: int
    shift_ns: int

    @property
    def at_ns(self) -> int:
        """Its end after that."""
        return self.passed_ns + self.shift_ns


@dataclass(frozen=True, slots=True, kw_only=True)
class PatientTime:
    """A patient's time so far.

    Attributes
    ----------
    streams : the runs of the patient's streams, the one that was heard last at the end
    seen_ns : up to where the patient has been seen
    spent_ns : the same on a clock that is never turned back: the broker's, and the tolerance, is all there is to spend
    broker : when the broker took the message at hand; None bounds nothing (a recording that is judged offline)
    """

    streams: tuple[Stream, ...]
    seen_ns: int
    spent_ns: int
    broker: BrokerTime | None

    def was_judged(self, verdict: Verdict) -> bool:
        """Return whether a verdict's window came before."""
        return any(run.is_of(verdict) and run.judged(verdict.window) for run in self.streams)

    def place(self, verdict: Verdict) -> Placed:
        """Return the end of a window that was not judged."""
        run = self._before(verdict)
        if run is None:
            passed_ns, least_ns = self.seen_ns + self._across(verdict), self.seen_ns - TOLERANCE_NS
        else:
            passed_ns = run.seen_ns + self._within(verdict, run)
            least_ns = min(passed_ns, run.seen_ns)
        passed_ns = max(least_ns, min(passed_ns, self._latest_ns()))
        shift_ns = 0
        others = (each.seen_ns for each in self.streams if each is not run)
        if all(each <= passed_ns - PRESENT_NS for each in others):  # else two clocks would pull to and fro
            shift_ns = verdict.end_ns - passed_ns if self._believes(verdict.end_ns) else 0
        return Placed(run, passed_ns, shift_ns)

    def place_urgent(self, urgent: Urgent) -> int:
        """Return the end of an urgent message's rapid check."""
        run = next((run for run in reversed(self.streams) if run.is_of(urgent)), None)
        if run is None:
            at_ns = urgent.end_ns if urgent.end_ns >= self.seen_ns - TOLERANCE_NS else self.seen_ns
        else:
            index_ns = (urgent.second - run.window * run.hop_s - WINDOW_S) * NS
            claimed_ns = urgent.end_ns - run.claimed_ns
            at_ns = run.seen_ns + (claimed_ns if _agree(claimed_ns, index_ns) else index_ns)
        return max(0, min(at_ns, self._latest_ns()))

    def _latest_ns(self) -> int:
        """Up to where the patient's time may pass by now."""
        if self.broker is None:
            return FOREVER_NS
        named_ns = max(self.seen_ns, self.broker.latest_ns)
        return min(named_ns, self.seen_ns + max(0, self.broker.latest_ns - self.spent_ns))

    def _believes(self, claimed_ns: int) -> bool:
        return claimed_ns >= 0 and (self.broker is None or claimed_ns <= self.broker.latest_ns)

    def _before(self, verdict: Verdict) -> Stream | None:
        """The run that a window continues."""
        runs = [run for run in self.streams if run.is_of(verdict) and run.first < verdict.window]
        nearest = max(runs, key=lambda run: run.first, default=None)
        if nearest is not None and verdict.window < nearest.window:
            return nearest  # it comes late, into a gap
        if nearest is None or verdict.window == nearest.window + 1:
            return nearest
        index_ns = (verdict.window - nearest.window) * nearest.hop_s * NS
        if _agree(verdict.end_ns - nearest.claimed_ns, index_ns):
            return nearest if nearest.seen_ns + index_ns <= self._latest_ns() else None
        return nearest if index_ns <= self._apart_ns(nearest) else None

    def _within(self, verdict: Verdict, run: Stream) -> int:
        """Return the time passed since the run's window before."""
        index_ns = (verdict.window - run.window) * run.hop_s * NS
        claimed_ns = verdict.end_ns - run.claimed_ns
        return claimed_ns if _agree(claimed_ns, index_ns) else index_ns

    def _across(self, verdict: Verdict) -> int:
        """Return the time passed between the patient's runs; below 0 where they overlap."""
        last = self.streams[-1] if self.streams else None
        same_clock = last is not None and last.device == verdict.device
        claimed_ns = verdict.end_ns - (last.claimed_ns if last is not None and same_clock else self.seen_ns)
        if claimed_ns < -TOLERANCE_NS or not self._believes(verdict.end_ns):
            return verdict.hop_s * NS  # the clock was turned back, or is none: as much as is known
        return min(claimed_ns, max(verdict.hop_s * NS, self._apart_ns(last)))

    def _apart_ns(self, before: Stream | None) -> int:
        """Return the most that can have passed since a run was heard, by the broker's clock."""
        if self.broker is None:
            return FOREVER_NS
        passed_ns = 0 if before is None or before.broker_ns is None else max(0, self.broker.now_ns - before.broker_ns)
        return passed_ns + self.broker.tolerance_ns


def begin(claimed_ns: int, broker: BrokerTime | None) -> int:
    """Return where a patient's time begins: where the device says, unless by the broker it is not that late yet."""
    if claimed_ns < 0:
        return 0
    return claimed_ns if broker is None or claimed_ns <= broker.latest_ns else broker.now_ns


def _agree(claimed_ns: int, index_ns: int) -> bool:
    return abs(claimed_ns - index_ns) <= ROUNDING_NS
