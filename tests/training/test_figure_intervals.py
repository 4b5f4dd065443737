"""Intervals of every figure of a database's own form."""

from collections.abc import Sequence
from typing import Any

import pytest

from training.figure_intervals import figure_intervals
from training.intervals import patient_interval


def _figures(drawn: Sequence[tuple[int, int]]) -> dict[str, Any]:
    hits, of = sum(one for one, _ in drawn), sum(all_ for _, all_ in drawn)
    return {"n": of, "all": {"share": hits / of if of else None, "nothing": None}}


def test_every_fraction_has_the_interval_that_it_has_alone_and_counts_have_none() -> None:
    patients = [(number % 3, 3) for number in range(20)]
    found = figure_intervals(_figures, patients)
    assert set(found) == {"all"}
    assert found["all"]["nothing"] is None
    alone = patient_interval(lambda drawn: float(_figures(drawn)["all"]["share"]), patients)
    assert found["all"]["share"] == pytest.approx(alone, abs=1e-6)


def test_draws_without_a_value_do_not_count_and_one_patient_has_no_spread() -> None:
    assert figure_intervals(_figures, [(1, 1), (0, 0)])["all"]["share"] == (1.0, 1.0)
    assert figure_intervals(_figures, [(1, 2)]) == {"all": {"share": None, "nothing": None}}


def test_a_part_that_a_draw_lacks_does_not_count() -> None:
    def by_kind(drawn: Sequence[str]) -> dict[str, Any]:
        return {kind: {"share": drawn.count(kind) / len(drawn)} for kind in sorted(set(drawn))}

    low, high = figure_intervals(by_kind, ["a", "b"])["a"]["share"]
    assert (low, high) == (0.5, 1.0)
