"""From classed beats to rhythm findings, window by window. Pure: no clock, no signal, no model.

What is found in beats depends on them alone, never on how they were cut into windows: each beat is one transition, and
each window adds how far silence is known to reach. Where signal was lost, all starts anew: unknown is not silence. Over
a hole short enough to leave its window usable, a rhythm goes on, but no interval, silence or pattern reaches across it.

Ventricular flutter and fibrillation have no beats: they are told by what was measured of each window's signal. What the
beat detector finds in them are waves, so no rate, pause or pattern is told of it, and all starts anew behind. One thing
does not contradict the window in which flutter begins and is told there: ventricular tachycardia. There is no sharp
border between the two, both are deadly, and a short one must not hide because the signal's rule took it for the other.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from statistics import median

from ecg.fibrillation import FLUTTER_LEAKAGE, FLUTTER_LEAKAGE_ON
from ecg.findings import FindingKind, RhythmFinding, family_of
from ecg.irregularity import MIN_INTERVALS, MOST_INTERVALS, atrial_intervals_s, fibrillation_odds, weighed_beats
from ecg.p_waves import PWaves, mean_p_waves
from ecg.rhythm_state import AF_IN_A_ROW, Beat, BeatLetter, RhythmState, Span

# Three ventricular beats in a row are a run (ANSI/AAMI EC57). Ventricular tachycardia is five or more of them at
# 100/min or faster, and asystole 4 s without QRS, as the PhysioNet/CinC Challenge 2015 judged bedside monitors by:
# doi:10.1109/CIC.2015.7408639.
RUN_BEATS = 3  # of supraventricular beats
VT_BEATS = 5
VT_BPM = 100.0
ASYSTOLE_NS = 4_000_000_000
# What looks like strange beats right behind noise is more often the rest of it: on vfdb 6 of 21 false tachycardias
# began in the window behind one of noise and 2 of 83 true ones, which are told when this time is over.
BEHIND_NOISE_NS = 5_000_000_000
# Longer than the RR of the slowest rhythm that is still called sinus bradycardia in sleep (30/min).
PAUSE_NS = 2_000_000_000
COMPENSATED = 2.2  # usual RR intervals around a premature beat: two are its full compensation, the rest is tolerance
CYCLES = 3  # of bigeminy or trigeminy: fewer are chance in anyone with frequent extrasystoles
# 50/min: the limit of sinus bradycardia in the ACC/AHA/HRS guideline 2018, doi:10.1161/CIR.0000000000000628. 120/min:
# what is left of "above 100/min" (doi:10.1161/CIR.0000000000000311) when a walk to the bathroom is to raise no alarm;
# the AHA practice standards ask for limits that fit the patient, doi:10.1161/CIR.0000000000000527.
BRADYCARDIA_BPM = 50.0
TACHYCARDIA_BPM = 120.0
# Five beats slower than 40/min, 17 faster than 140/min: the definitions of the Challenge 2015, as above. By the median
# of their intervals: one long pause is no bradycardia, and a few beats that were missed do not end a tachycardia.
EXTREME_BRADYCARDIA_BPM, EXTREME_BRADYCARDIA_BEATS = 40.0, 5
EXTREME_TACHYCARDIA_BPM, EXTREME_TACHYCARDIA_BEATS = 140.0, 17
RATE_BAND_BPM = 5.0  # how far beyond its limit the rate must come back to end a finding: one that wavers is one finding
RATE_INTERVALS = 8  # the median of so many bears three ectopic beats or two missed ones
# Atrial fibrillation: the limits were tuned with ``ecg.irregularity``.
AF_EVERY = 4  # beats between two observations
AF_ODDS_ON, AF_ODDS_OFF = -0.3, -1.5  # log odds: above the first it begins, below the second it ends
P_WAVES_NS = 15_000_000_000  # of windows behind each other, each with the 15 s that it looks back: ``SPAN_NS`` in all
HISTORY = MOST_INTERVALS + 8  # beats: a few of those may be none but the ends of holes
# Three supraventricular beats in a row are a run; five of them at 100/min or faster, as of ventricular ones, are a
# tachycardia (above 100/min at rest: ACC/AHA/HRS guideline 2015, doi:10.1161/CIR.0000000000000311).
# Both begin abruptly, as the guideline says of them: what a fast sinus rhythm grows into is none.
SVT_BEATS = 5
SVT_BPM = 100.0
ABRUPT = 0.85  # of the intervals before, which the first may reach; sinus rhythm changes by less from beat to beat
MIN_USUAL = 3  # intervals before that say what is usual
# A beat was dropped: an interval of twice the usual, as where one P wave of a steady row is not conducted: block of
# second degree, Mobitz's type II, or exit block of the sinus node (ACC/AHA/HRS guideline 2018, as below). The rhythm
# before must be steady, or a sinus arrhythmia looks the same. One longer than a pause is told as that.
DROPPED = (1.8, 2.2)  # usual intervals
STEADY_INTERVALS = 8
STEADY = 0.1  # of their median: what none of them may be away from it


def step(state: RhythmState, beats: Iterable[Beat], span: Span) -> tuple[RhythmState, tuple[RhythmFinding, ...]]:
    """The state after a window, and the findings that began or grew in it.

    Parameters
    ----------
    state : what the step before returned; ``RhythmState()`` at first
    beats : the beats since the window before, in order of time
    span : the window
    """
    if not span.usable:
        return RhythmState(end_ns=span.end_ns, noise_ns=span.end_ns if span.noisy else state.noise_ns), ()
    follower = _Follower(state, span)
    holes = list(span.holes)
    for t_ns, letter in beats:
        while holes and holes[0][1] <= t_ns:
            follower.hole(*holes.pop(0))
        follower.beat(t_ns, letter)
    for start_ns, end_ns in holes:
        follower.hole(start_ns, end_ns)
    follower.silence(span.settled_ns)
    return follower.state(), follower.findings()


class _Follower:
    """One window's work on a state."""

    def __init__(self, state: RhythmState, span: Span) -> None:
        self._span = span
        self._noise_ns = state.noise_ns
        since_noise_ns = None if state.noise_ns is None else span.end_ns - state.noise_ns
        # A clock that was put back says nothing of the time since.
        self._may_race = not span.sways and (since_noise_ns is None or not 0 < since_noise_ns <= BEHIND_NOISE_NS)
        if state.known_ns is None or state.end_ns != span.start_ns:  # signal was lost, or the clock jumped
            state = RhythmState(known_ns=span.start_ns)
        self._known_ns = state.known_ns or 0
        self._doubtful_ns = state.doubtful_ns + span.doubtful_ns
        self._count = state.count
        self._beats = list(state.beats)
        self._latest = {finding.family: finding for finding in state.latest}
        self._fibrillating = state.fibrillating
        self._p_waves = [each for each in state.p_waves if each[0] >= span.end_ns - P_WAVES_NS]
        if span.p_waves is not None:
            self._p_waves.append((span.end_ns, span.p_waves))
        self._found: dict[tuple[str, int], RhythmFinding] = {}
        self._flutter()

    def findings(self) -> tuple[RhythmFinding, ...]:
        """Return what began or grew in the window, by start."""
        findings = (finding for finding in self._found.values() if not self._contradicts_flutter(finding))
        return tuple(sorted(findings, key=lambda finding: finding.start_ns))

    def state(self) -> RhythmState:
        """The state that the window leaves."""
        oldest = self._beats[0][0] if self._beats else self._known_ns
        return RhythmState(
            end_ns=self._span.end_ns,
            known_ns=self._known_ns,
            doubtful_ns=self._doubtful_ns,
            count=self._count,
            beats=tuple(self._beats),
            # An older one cannot be touched by what is found in the beats that are left.
            latest=tuple(finding for finding in self._latest.values() if finding.end_ns >= oldest),
            fibrillating=self._fibrillating,
            p_waves=tuple(self._p_waves),
            noise_ns=self._noise_ns,
        )

    def beat(self, t_ns: int, letter: BeatLetter) -> None:
        """Take one beat in."""
        self._end_flutter(t_ns)
        self._end_silence(t_ns)
        doubtful = self._doubtful_ns > 0
        self._doubtful_ns = self._span.doubtful_ns
        self._count += 1
        self._beats.append((t_ns, letter))
        del self._beats[:-HISTORY]
        if letter == "V":
            self._ventricular()
            self._cycle("bigeminy", 2)
            self._cycle("trigeminy", 3)
        self._rate()
        self._extreme_rate()
        if self._count % AF_EVERY == 0:
            self._fibrillation()
        if letter == "S":
            self._supraventricular()
        if not doubtful:
            self._dropped_beat()

    def hole(self, start_ns: int, end_ns: int) -> None:
        """Return what was known ends at a hole, and begins anew behind it."""
        self.silence(start_ns)
        self._end_flutter(end_ns)
        if start_ns - self._silent_since_ns() >= ASYSTOLE_NS:
            self._count = 0
            self._beats.clear()
        self._doubtful_ns = self._span.doubtful_ns
        if self._beats and self._beats[-1][1] == "-":
            self._beats.pop()
        self._beats.append((end_ns, "-"))
        del self._beats[:-HISTORY]

    def silence(self, until_ns: int) -> None:
        """Nothing came since the last beat, and until this time nothing will."""
        self._end_flutter(until_ns)
        since_ns = self._silent_since_ns()
        if until_ns - since_ns - self._doubtful_ns >= ASYSTOLE_NS:
            self._note("asystole", since_ns, until_ns, beats=None)

    def _flutter(self) -> None:
        """The window's signal may begin or lengthen a flutter."""
        latest = self._latest.get("ventricular_flutter")
        lasts = latest is not None and latest.end_ns == self._span.start_ns
        if self._span.leakage < (FLUTTER_LEAKAGE_ON if lasts else FLUTTER_LEAKAGE):
            start_ns = latest.start_ns if latest is not None and lasts else self._span.start_ns
            self._note("ventricular_flutter", start_ns, self._span.end_ns, beats=None)

    def _end_flutter(self, t_ns: int) -> None:
        """Behind a flutter, all starts anew."""
        latest = self._latest.get("ventricular_flutter")
        if latest is not None and self._known_ns < latest.end_ns <= t_ns:
            self._known_ns = latest.end_ns
            self._doubtful_ns = self._span.doubtful_ns
            self._count = 0
            self._beats.clear()

    def _contradicts_flutter(self, finding: RhythmFinding) -> bool:
        """Return whether it was found in what are waves and no beats."""
        flutter = self._latest.get("ventricular_flutter")
        if flutter is None or finding.kind == "ventricular_flutter":
            return False
        one_window = flutter.end_ns - flutter.start_ns <= self._span.end_ns - self._span.start_ns
        if finding.kind == "ventricular_tachycardia" and one_window:
            return False
        return flutter.start_ns <= finding.end_ns < flutter.end_ns

    def _silent_since_ns(self) -> int:
        return max(self._known_ns, self._beats[-1][0]) if self._beats else self._known_ns

    def _end_silence(self, t_ns: int) -> None:
        since_ns = self._silent_since_ns()
        silent_ns = t_ns - since_ns - self._doubtful_ns
        findings = self._latest.get("asystole")
        if silent_ns >= ASYSTOLE_NS:
            self._note("asystole", since_ns, t_ns, beats=None)
        elif findings is not None and findings.start_ns == since_ns:
            pass  # told already; how long it was is doubtful
        elif self._beats and self._beats[-1][1] != "-" and silent_ns > PAUSE_NS and silent_ns > self._compensation_ns():
            self._note("pause", since_ns, t_ns, beats=None)
        if t_ns - since_ns >= ASYSTOLE_NS:  # no rhythm goes on over so long a silence
            self._count = 0
            self._beats.clear()

    def _compensation_ns(self) -> float:
        """Return how long the heart may rest after the last beat because that one came too early; 0 after any other."""
        last_ns, letter = self._beats[-1]
        if letter not in {"V", "S"} or len(self._beats) < 3 or self._beats[-2][1] == "-":
            return 0
        usual = [after - before for (before, a), (after, b) in pairwise(self._beats) if a == b == "N"]
        if not usual:
            return 0
        return COMPENSATED * sorted(usual)[len(usual) // 2] - (last_ns - self._beats[-2][0])

    def _ventricular(self) -> None:
        """The last beat is ventricular: with the one before it, it may make or lengthen a run."""
        if len(self._beats) < 2:
            return
        (before_ns, letter), (t_ns, _) = self._beats[-2:]
        if letter != "V" or t_ns - before_ns > PAUSE_NS:
            return
        run = self._latest.get("ventricular")
        if run is None or run.end_ns != before_ns or run.beats is None:
            self._note("couplet", before_ns, t_ns, beats=2)
            return
        beats = run.beats + 1
        fast = run.kind == "ventricular_tachycardia" or (self._may_race and self._fast_run(beats))
        kind: FindingKind = "ventricular_tachycardia" if fast else "ventricular_run"
        self._note(kind, run.start_ns, t_ns, beats=beats)

    def _fast_run(self, beats: int) -> bool:
        if beats < VT_BEATS:
            return False
        span_ns = self._beats[-1][0] - self._beats[-VT_BEATS][0]
        return VT_BPM * span_ns <= (VT_BEATS - 1) * 60e9

    def _cycle(self, kind: FindingKind, period: int) -> None:
        """Every second or third beat ventricular, for some cycles."""
        newest = self._beats[-CYCLES * period :]
        if len(newest) < CYCLES * period or any(letter == "-" for _, letter in newest):
            return
        if all((letter == "V") == (place % period == period - 1) for place, (_, letter) in enumerate(newest)):
            self._hold(kind, newest[0][0])

    def _rate(self) -> None:
        if self._count <= RATE_INTERVALS:
            return
        rr, first_ns = [], 0
        for place in range(len(self._beats) - 1, max(0, len(self._beats) - 2 * RATE_INTERVALS), -1):
            (first_ns, before), (after_ns, after) = self._beats[place - 1 : place + 1]
            if before != "-" and after != "-":
                rr.append(after_ns - first_ns)
                if len(rr) == RATE_INTERVALS:
                    break
        else:
            return
        rr.sort()
        median_ns = (rr[RATE_INTERVALS // 2 - 1] + rr[RATE_INTERVALS // 2]) / 2
        if median_ns * (BRADYCARDIA_BPM + RATE_BAND_BPM * self._lasts("bradycardia")) > 60e9:
            self._hold("bradycardia", first_ns)
        elif median_ns * (TACHYCARDIA_BPM - RATE_BAND_BPM * self._lasts("tachycardia")) < 60e9:
            self._hold("tachycardia", first_ns)

    def _extreme_rate(self) -> None:
        if len(self._beats) < EXTREME_BRADYCARDIA_BEATS:
            return
        newest_ns = self._beats[-1][0] - self._beats[-2][0]
        slow_ns, fast_ns = 60e9 / EXTREME_BRADYCARDIA_BPM, 60e9 / EXTREME_TACHYCARDIA_BPM
        # The newest interval is to be one of those: what it ends has gone.
        if newest_ns > slow_ns:
            slow = self._in_a_row(EXTREME_BRADYCARDIA_BEATS)
            if slow and median(slow) > slow_ns:
                self._hold("extreme_bradycardia", self._beats[-EXTREME_BRADYCARDIA_BEATS][0])
        elif newest_ns < fast_ns:
            fast = self._in_a_row(EXTREME_TACHYCARDIA_BEATS)
            if fast and median(fast) < fast_ns:
                self._hold("extreme_tachycardia", self._beats[-EXTREME_TACHYCARDIA_BEATS][0])

    def _in_a_row(self, count: int) -> list[int]:
        """The intervals between the newest beats, none where these are fewer or a hole lies between two."""
        newest = self._beats[-count:]
        if len(newest) < count or any(letter == "-" for _, letter in newest):
            return []
        return [after - before for (before, _), (after, _) in pairwise(newest)]

    def _lasts(self, kind: FindingKind) -> bool:
        """Return whether it held at the beat before the last."""
        latest = self._latest.get(kind)
        return latest is not None and latest.end_ns == self._beats[-2][0]

    def _fibrillation(self) -> None:
        """Weigh the newest intervals: atrial fibrillation begins, goes on or has ended."""
        if self._count <= MIN_INTERVALS:
            self._fibrillating = 0
            return
        beats = weighed_beats(self._beats)
        odds = fibrillation_odds(atrial_intervals_s(beats), self._mean_p_waves())
        if odds is None:
            return
        lasts = self._fibrillating >= AF_IN_A_ROW
        if odds < (AF_ODDS_OFF if lasts else AF_ODDS_ON):
            self._fibrillating = 0
            return
        self._fibrillating = min(self._fibrillating + 1, AF_IN_A_ROW)
        if lasts:
            self._hold("atrial_fibrillation", beats[0][0])
        elif self._fibrillating == AF_IN_A_ROW:
            # It takes half of the intervals to tell: it has lasted about that long, or as long as anything is known.
            begun = 0 if self._count == len(beats) else len(beats) // 2
            self._hold("atrial_fibrillation", beats[begun][0])

    def _mean_p_waves(self) -> PWaves | None:
        """The evidence of the windows so far, since the signal is known."""
        return mean_p_waves([evidence for end_ns, evidence in self._p_waves if end_ns > self._known_ns])

    def _supraventricular(self) -> None:
        """The last beat is supraventricular: with two or more before it, it makes or lengthens a run."""
        if self._fibrillating >= AF_IN_A_ROW:  # no beat is premature in an irregular rhythm
            return
        run = 0
        for _, letter in reversed(self._beats):
            if letter != "S":
                break
            run += 1
        if run < RUN_BEATS:
            return
        latest = self._latest.get("supraventricular")
        goes_on = latest is not None and latest.end_ns == self._beats[-2][0] and latest.beats is not None
        start_ns, beats = self._beats[-run][0], run
        if latest is not None and goes_on:
            start_ns, beats = latest.start_ns, (latest.beats or 0) + 1
        elif not self._abrupt(len(self._beats) - run):
            return
        fast = goes_on and latest is not None and latest.kind == "supraventricular_tachycardia"
        if not fast and beats >= SVT_BEATS:
            fast = SVT_BPM * (self._beats[-1][0] - self._beats[-SVT_BEATS][0]) <= (SVT_BEATS - 1) * 60e9
        kind: FindingKind = "supraventricular_tachycardia" if fast else "supraventricular_run"
        self._note(kind, start_ns, self._beats[-1][0], beats=beats)

    def _abrupt(self, first: int) -> bool:
        """Return whether the rhythm jumped at a beat: a sinus node that works harder does so by degrees."""
        before = self._beats[max(0, first - RATE_INTERVALS - 1) : first + 1]
        rr = [after - before for (before, a), (after, b) in pairwise(before) if a not in "V-" and b not in "V-"]
        return len(rr) > MIN_USUAL and rr[-1] <= ABRUPT * median(rr[:-1])

    def _dropped_beat(self) -> None:
        """The last interval may be twice the usual one, in a rhythm that is steady otherwise."""
        newest = self._beats[-STEADY_INTERVALS - 2 :]
        if len(newest) < STEADY_INTERVALS + 2 or any(letter != "N" for _, letter in newest):
            return
        *usual, long = [after - before for (before, _), (after, _) in pairwise(newest)]
        usual_ns = median(usual)
        low, high = DROPPED
        if low * usual_ns <= long <= min(high * usual_ns, PAUSE_NS) and all(
            abs(each - usual_ns) <= STEADY * usual_ns for each in usual
        ):
            self._note("dropped_beat", newest[-2][0], newest[-1][0], beats=None)

    def _hold(self, kind: FindingKind, start_ns: int) -> None:
        """It holds from ``start_ns`` to the last beat: the latest of its kind goes on, if it reaches as far."""
        latest = self._latest.get(kind)
        if latest is None or latest.end_ns < start_ns:
            self._note(kind, start_ns, self._beats[-1][0], beats=sum(1 for _ in self._back_to(start_ns)))
        else:
            held = (latest.beats or 0) + sum(1 for _ in self._back_to(latest.end_ns + 1))
            self._note(kind, latest.start_ns, self._beats[-1][0], beats=held)

    def _back_to(self, start_ns: int) -> Iterator[int]:
        """The times of the beats from the last one back to ``start_ns``."""
        for t_ns, letter in reversed(self._beats):
            if t_ns < start_ns:
                return
            if letter != "-":
                yield t_ns

    def _note(self, kind: FindingKind, start_ns: int, end_ns: int, *, beats: int | None) -> None:
        finding = RhythmFinding(kind=kind, start_ns=start_ns, end_ns=end_ns, beats=beats)
        family = family_of(kind)
        self._latest[family] = self._found[family, start_ns] = finding
