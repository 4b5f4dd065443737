from collections import Counter
from collections.abc import Iterable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from wfdb.processing import compare_annotations

from ecg.annotations import Annotations
from training.beat_comparison import EXTRA, KINDS, MISSED, Pair, class_accuracy, class_rates, compare, match, qrs_rates

FS_HZ = 360
WINDOW = 54  # samples: 150 ms

# Beats at least 0.3 s apart: among closer ones "the nearest" has no single answer, and wfdb and we differ by a pair.
TRAINS = st.lists(st.integers(110, 500), max_size=40).map(lambda steps: np.cumsum(steps, dtype=np.int64))


@given(TRAINS, TRAINS)
def test_as_many_pairs_as_wfdb_finds(reference: np.ndarray, found: np.ndarray) -> None:
    # wfdb's window excludes its edge, ours includes it: half a sample more decides neither way.
    pairs = match(reference / FS_HZ, found / FS_HZ)
    if len(reference) and len(found):
        theirs = compare_annotations(reference, found, WINDOW + 1)
        assert len(pairs) == theirs.tp
    else:
        assert pairs == []


@given(TRAINS, TRAINS)
def test_pairs_are_one_to_one_and_near(reference: np.ndarray, found: np.ndarray) -> None:
    pairs = match(reference / FS_HZ, found / FS_HZ)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(abs(reference[i] - found[j]) <= WINDOW for i, j in pairs)


@given(TRAINS)
def test_every_beat_matches_itself(train: np.ndarray) -> None:
    assert match(train / FS_HZ, train / FS_HZ) == [(i, i) for i in range(len(train))]


def _annotations(beats: list[tuple[float, str]]) -> Annotations:
    return Annotations(
        sample=np.array([round(time_s * FS_HZ) for time_s, _ in beats], np.int64),
        symbol=tuple(symbol for _, symbol in beats),
        aux=("",) * len(beats),
    )


def test_beats_are_counted_by_reference_and_found_class() -> None:
    annotations = _annotations([(1, "N"), (2, "V"), (3, "A"), (4, "N"), (5, "N")])
    found = np.array([1.01, 2.02, 3.0, 4.6, 5.0])
    counts = compare(annotations, FS_HZ, found, "NVNNV", span_s=(0, 10))
    expected: Counter[Pair] = Counter(
        {("N", "N"): 1, ("V", "V"): 1, ("S", "N"): 1, ("N", MISSED): 1, (EXTRA, "N"): 1, ("N", "V"): 1}
    )
    assert counts == expected
    assert class_accuracy(counts) == 0.5


def test_a_missed_beat_counts_only_where_beats_were_looked_for() -> None:
    annotations = _annotations([(1, "N"), (9.8, "N")])
    counts = compare(annotations, FS_HZ, np.empty(0), "", span_s=(0.5, 9.5))
    assert counts == Counter({("N", MISSED): 1})


def test_ventricular_flutter_is_left_out() -> None:
    annotations = _annotations([(1, "N"), (2, "["), (3, "N"), (4, "]"), (5, "N")])
    counts = compare(annotations, FS_HZ, np.array([1.0, 2.5, 3.5, 5.0]), "NVVN", span_s=(0, 10))
    assert counts == Counter({("N", "N"): 2})


def test_a_fusion_found_ventricular_is_no_false_alarm() -> None:
    # EC57: for ventricular beats F and Q are neutral, for supraventricular ones Q alone.
    counts: Counter[Pair] = Counter(
        {("V", "V"): 6, ("V", "N"): 1, ("V", MISSED): 1, ("F", "V"): 5, ("Q", "V"): 3, ("N", "V"): 2, (EXTRA, "V"): 2}
    )
    ventricular = class_rates(counts, "V", neutral="FQ")
    assert ventricular.se == 0.75
    assert ventricular.ppv == 0.6
    counts = Counter({("S", "S"): 3, ("S", "N"): 1, ("F", "S"): 1, ("Q", "S"): 9, ("N", "S"): 2})
    supraventricular = class_rates(counts, "S", neutral="Q")
    assert (supraventricular.se, supraventricular.ppv) == (0.75, 0.5)


def test_rates_of_nothing_are_none() -> None:
    nothing: Counter[Pair] = Counter()
    assert qrs_rates(nothing).se is None
    assert qrs_rates(nothing).ppv is None
    assert class_accuracy(nothing) is None
    assert class_rates(Counter({("N", "N"): 3}), "V", neutral="FQ").f1 is None


def test_a_table_of_beats_by_hand() -> None:
    """Every cell once: rows are the reference, columns what was found; counts are powers of two, so that sums tell."""
    found = ["N", "S", "V", "F", "Q", "none", MISSED]
    cells = [
        (row, column)
        for row in ("N", "S", "V", "F", "Q", EXTRA)
        for column in found
        if (row, column) != (EXTRA, MISSED)
    ]
    counts: Counter[Pair] = Counter({cell: 1 << number for number, cell in enumerate(cells)})

    def total(rows: Iterable[str], columns: Iterable[str]) -> int:
        return sum(counts[row, column] for row in rows for column in columns)

    beats = ("N", "S", "V", "F", "Q")
    assert KINDS["qrs"](counts) == (
        total(beats, found[:-1]),
        total(beats, [MISSED]),
        total([EXTRA], found[:-1]),
    )
    # EC57, ventricular: a miss is every V not found as V; false are N, S and nothing found as V, never F and Q.
    assert KINDS["veb"](counts) == (
        total("V", "V"),
        total("V", [name for name in found if name != "V"]),
        total(["N", "S", EXTRA], "V"),
    )
    # Supraventricular: F found as S is false too, Q is not.
    assert KINDS["sveb"](counts) == (
        total("S", "S"),
        total("S", [name for name in found if name != "S"]),
        total(["N", "V", "F", EXTRA], "S"),
    )
