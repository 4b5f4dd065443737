"""Features of beats: how early, how strange, by what was before and what comes behind."""

import json
from math import isnan, log, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.beat_features import NAMES, Floats, SeenBeats, features_of, likeness_to_previous, shape_of
from detector.beat_history import MEANS, RECENT, UNKNOWN_REGULARITY, BeatHistory, FollowedBeats, follow

S = 1_000_000_000
NORMAL, VENTRICULAR = (-6.0, -6.0, -6.0), (3.0, -1.0, -4.0)
SHAPE = len(NAMES) - NAMES.index("unlike")

Odds = tuple[float, float, float]


def followed(
    history: BeatHistory, times_s: list[float], breaks_ns: list[int] | None = None, odds: list[Odds] | None = None
) -> tuple[FollowedBeats, Floats]:
    times = [round(t * S) for t in times_s]
    odds = odds or [NORMAL] * len(times)
    rhythm = follow(history, times, [(v, s) for v, s, _ in odds], breaks_ns or [])
    (rows,) = features_of(
        [rhythm], [SeenBeats(times, np.array(odds).reshape(len(times), 3), np.zeros((len(times), SHAPE)))]
    )
    return rhythm, rows


def described(times_s: list[float], history: BeatHistory | None = None) -> tuple[BeatHistory, list[dict[str, float]]]:
    rhythm, rows = followed(history or BeatHistory(), times_s)
    return rhythm.history_behind(len(times_s)), [dict(zip(NAMES, row, strict=True)) for row in rows.tolist()]


def steady(count: int, rr_s: float = 0.8) -> BeatHistory:
    return described([rr_s * number for number in range(count)])[0]


def test_nothing_is_early_before_anything_is_usual() -> None:
    _, (first, second) = described([0.0, 0.3])
    assert isnan(first["rr_over_mean_32"])
    assert isnan(second["rr_over_mean_32"])
    assert BeatHistory().regularity == UNKNOWN_REGULARITY


def test_a_beat_is_early_against_the_patients_own_interval() -> None:
    for rr_s in (0.6, 1.2):
        history = steady(40, rr_s)
        last_s = (history.last_ns or 0) / S
        _, (early, behind) = described([last_s + 0.7 * rr_s, last_s + 2 * rr_s], history)
        assert early["rr_over_mean_32"] == pytest.approx(log(0.7), abs=2e-3)
        assert early["next_over_rr"] == pytest.approx(log(1.3 / 0.7), abs=2e-3)
        assert early["early_near"] == 0
        assert behind["early_near"] == 1
        assert isnan(behind["next_over_rr"])


def test_where_early_beats_are_the_rule_their_interval_is_still_short_of_the_mean() -> None:
    times, t = [], 0.0
    for number in range(90):
        t += 1.4 if number % 3 == 0 else 0.6
        times.append(t)
    history, _ = described(times)
    _, (row,) = described([t + 0.6], history)
    assert row["rr_over_median"] == pytest.approx(0, abs=0.01)
    assert row["rr_over_mean_80"] < -0.2


def test_no_interval_reaches_over_a_hole() -> None:
    history = steady(20)
    last_s = (history.last_ns or 0) / S
    rhythm, (row,) = followed(history, [last_s + 1.6], [round((last_s + 1) * S)])
    assert isnan(dict(zip(NAMES, row, strict=True))["rr_over_previous"])
    assert rhythm.history_behind(1).rr == history.rr


def test_regularity_tells_a_metronome_from_fibrillation_and_bears_extrasystoles() -> None:
    random = np.random.default_rng(1)
    fibrillation, _ = described(np.cumsum(random.uniform(0.4, 1.2, 60)).tolist())
    assert steady(40).regularity == 1
    assert fibrillation.regularity < 0.4
    times = np.cumsum([1.1, 0.5] * 30).tolist()
    odds = [VENTRICULAR if number % 6 == 1 else NORMAL for number in range(len(times))]
    rhythm, _ = followed(BeatHistory(), times, odds=odds)
    assert rhythm.history_behind(len(times)).regularity >= 0.45


def test_a_strange_qrs_is_unlike_the_usual_one_in_shape_size_and_width() -> None:
    time = np.arange(-10, 15)
    narrow, wide = 4 * np.exp(-((time / 2) ** 2)), -8 * np.exp(-((time / 6) ** 2))
    ((same, strange),) = shape_of(np.stack([narrow, wide])[None], np.stack([narrow, narrow])[None])
    assert same == pytest.approx([0, 0, 0, 0], abs=1e-9)
    unlike, different, amplitude, width = strange
    assert unlike > 1
    assert different > 1
    assert amplitude > 0.5
    assert width > 0.5
    assert np.isnan(shape_of(narrow[None, None], np.full((1, 1, 25), nan))).all()
    like = likeness_to_previous(np.stack([narrow, narrow, wide]))
    assert isnan(like[0])
    assert like[1] == pytest.approx(1)
    assert like[2] < 0


@given(
    rr_s=st.lists(st.floats(0.05, 5), min_size=1, max_size=90),
    marks=st.lists(st.booleans(), min_size=90, max_size=90),
    cut=st.integers(0, 90),
)
def test_beats_that_come_in_two_parts_leave_the_same_history_and_it_is_kept_exactly(
    rr_s: list[float], marks: list[bool], cut: int
) -> None:
    times = np.cumsum(rr_s).tolist()
    odds = [VENTRICULAR if mark else NORMAL for _, mark in zip(times, marks, strict=False)]
    whole, rows = followed(BeatHistory(), times, odds=odds)
    history = whole.history_behind(len(times))
    first, rows_before = followed(BeatHistory(), times[:cut], odds=odds[:cut])
    kept = BeatHistory.load(json.loads(json.dumps(first.history_behind(len(times[:cut])).dump())))
    second, rows_behind = followed(kept, times[cut:], odds=odds[cut:])
    assert second.history_behind(len(times[cut:])) == history
    for count in range(len(times) + 1):
        assert whole.history_behind(count) == followed(BeatHistory(), times[:count], odds=odds[:count])[
            0
        ].history_behind(count)
    behind = [place for place, name in enumerate(NAMES) if name.startswith("next") or name.endswith("_after")]
    for number, (one, other) in enumerate(zip(rows, np.concatenate([rows_before, rows_behind]), strict=True)):
        if number != cut - 1:
            assert np.array_equal(one, other, equal_nan=True)
        else:  # of the last before the cut, what comes behind was not known
            kept_places = [place for place in range(len(NAMES)) if place not in behind]
            assert np.array_equal(one[kept_places], other[kept_places], equal_nan=True)
    assert len(history.rr) == len(history.marks) <= RECENT
    assert history.beats <= MEANS[-1]
    assert len(json.dumps(history.dump())) < 400
