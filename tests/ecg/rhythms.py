"""Beat lists for the tests of rhythm, and ways to cut them into windows."""

import json
from collections.abc import Sequence
from itertools import accumulate

from ecg.fibrillation import NO_WAVE
from ecg.findings import RhythmFinding, merged
from ecg.p_waves import PWaves
from ecg.rhythm import step
from ecg.rhythm_state import Beat, BeatLetter, RhythmState, Span

S = 1_000_000_000
SETTLE_NS = S // 2  # a window hands over the beats up to so long before its end
SURE_NS = SETTLE_NS * 8 // 5  # and may add beats up to so long before it in the next


def beats_of(letters: str, rr_s: float | Sequence[float] = 0.8, *, start_s: float = 0.4) -> list[Beat]:
    """Beats by their letters, at one RR interval or at one for each beat but the first."""
    rr = [rr_s] * (len(letters) - 1) if isinstance(rr_s, float) else list(rr_s)
    times = accumulate(rr, initial=start_s)
    classes: list[BeatLetter] = [letter for known in letters for letter in ("N", "S", "V", "F", "Q") if letter == known]
    return [(round(t * S), letter) for t, letter in zip(times, classes, strict=True)]


def follow(
    beats: Sequence[Beat],
    ends_ns: Sequence[int],
    *,
    unusable: frozenset[int] = frozenset(),
    noisy: frozenset[int] = frozenset(),
    doubtful_ns: dict[int, int] | None = None,
    leakage: dict[int, float] | None = None,
    holes: Sequence[tuple[int, int]] = (),
    saved_before: frozenset[int] = frozenset(),
    p_waves: PWaves | None = None,
) -> list[tuple[RhythmFinding, ...]]:
    """What each window tells; windows start at 0 and end at ``ends_ns``, and lose their beats when unusable."""
    state, by_window, start_ns, given, over = RhythmState(), [], 0, 0, 0
    for number, end_ns in enumerate(ends_ns):
        if number in saved_before:
            state = RhythmState.load(json.loads(json.dumps(state.dump())))
        due = [beat for beat in beats[given:] if beat[0] < end_ns - SETTLE_NS]
        given += len(due)
        ended = [hole for hole in holes[over:] if hole[1] <= end_ns - SETTLE_NS]
        over += len(ended)
        open_from_ns = min((start for start, _ in holes[over:]), default=end_ns)
        usable = number not in unusable | noisy
        span = Span(
            start_ns=start_ns,
            end_ns=end_ns,
            settled_ns=min(end_ns - SURE_NS, open_from_ns),
            usable=usable,
            noisy=number in noisy,
            holes=tuple(ended),
            doubtful_ns=(doubtful_ns or {}).get(number, 0),
            leakage=(leakage or {}).get(number, NO_WAVE),
            p_waves=p_waves,
        )
        state, found = step(state, due if usable else [], span)
        by_window.append(found)
        start_ns = end_ns
    return by_window


def grid(seconds: float) -> list[int]:
    """Ends of five-second windows that cover so many seconds and the settling behind."""
    return [number * 5 * S for number in range(1, int((seconds + 1) / 5) + 2)]


def found_in(beats: Sequence[Beat]) -> tuple[RhythmFinding, ...]:
    """What is found in beats, over five-second windows up to the one that hands over the last of them."""
    by_window = follow(beats, grid(beats[-1][0] / S))
    last_ns = beats[-1][0]
    # The silence behind the last beat is the test's, not the patient's.
    return tuple(f for f in merged(f for found in by_window for f in found) if f.start_ns < last_ns)
