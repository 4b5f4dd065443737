"""Marks of missing samples for the tests: any pattern in which samples get lost, and what was found all the same."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from bus.messages import Urgent, Verdict
from ecg.findings import PRIORITIES
from ecg.records import MISSING, Record

WITHIN_NS = 10_000_000_000
Found = tuple[str, int, int]  # what, and its start and end, ns
# Both are told of one ventricular tachyarrhythmia, whose waves and beats no rule keeps apart for sure.
VENTRICULAR = {"ventricular_flutter", "ventricular_tachycardia"}
Marks = tuple[str, float, float, float, int]
# What, from and to as shares of the record, and how long or how often. A hole may lie beside, in, or between beats.
MARKS: st.SearchStrategy[list[Marks]] = st.lists(
    st.tuples(
        st.sampled_from(["all", "one", "random", "periodic", "growing", "single"]),
        st.floats(0, 0.9),
        st.floats(0.1, 1),
        st.sampled_from([0.001, 0.005, 0.02, 0.025, 0.05, 0.1, 0.2, 0.5, 0.9]),
        st.integers(1, 5000),
    ),
    min_size=1,
    max_size=3,
)


def marked(record: Record, marks: list[Marks], leads: tuple[int, ...]) -> Record:
    """A record with samples of some leads marked missing."""
    missing = np.zeros(len(record.samples), np.bool_)
    for pattern, first, length, share, number in marks:
        part = missing[round(first * len(missing)) : round((first + length) * len(missing))]
        part |= _pattern(pattern, len(part), record.fs_hz, share=share, number=number)
    samples = record.samples.copy()
    samples[np.ix_(missing, np.array(leads, np.int64))] = MISSING
    return replace(record, samples=samples)


def _pattern(pattern: str, length: int, fs_hz: float, *, share: float, number: int) -> npt.NDArray[np.bool_]:
    position = np.arange(length)
    period = max(2, round(number * fs_hz / 1000))
    if pattern == "all":
        return np.ones(length, np.bool_)
    if pattern == "one":
        return np.asarray(np.abs(position - (number * 7919) % max(1, length)) < share * fs_hz, np.bool_)
    if pattern == "random":
        return np.asarray(np.random.default_rng(number).random(length) < share, np.bool_)
    if pattern == "periodic":
        return np.asarray(position % period < max(1, share * period), np.bool_)
    if pattern == "growing":
        return np.asarray(position % period < period * position / max(1, length), np.bool_)
    return np.asarray(position % (2 * period) == 0, np.bool_)


def high_in(messages: Iterable[Verdict | Urgent]) -> list[Found]:
    """What was found of high priority, in windows and at once."""
    found: list[Found] = []
    for each in messages:
        if isinstance(each, Urgent):
            found.append((each.kind, each.start_ns, each.end_ns))
        else:
            found += [(f.kind, f.start_ns, f.end_ns) for f in each.findings if PRIORITIES[f.kind] == "high"]
    return found


def made_up(found: list[Found], truly: list[Found]) -> list[Found]:
    """What was found of which nothing was within ten seconds in the untouched record."""
    return [
        one
        for one in found
        if not any(
            (one[0] == other[0] or {one[0], other[0]} == VENTRICULAR)
            and one[1] <= other[2] + WITHIN_NS
            and other[1] <= one[2] + WITHIN_NS
            for other in truly
        )
    ]
