"""Windows that teach: of records whose rhythms nobody marked, beats alone."""

import numpy as np
import pytest

from training.data import CLASSES, FRAMES, RecordWindows
from training.fit import Pool, normal_only


def windows(name: str, count: int, letter: str = "N") -> RecordWindows:
    frames = np.zeros((count, FRAMES), np.uint8)
    frames[:, ::20] = CLASSES.index(letter)
    return RecordWindows(
        name=name,
        inputs=np.ones((count, 2, 8), np.float16),
        frames=frames,
        abnormal=np.full(count, letter != "N"),
        left_out=np.zeros(count, np.bool_),
        usable=np.arange(count) > 0,
        on_grid=np.ones(count, np.bool_),
        end_s=np.arange(count, dtype=np.float64),
    )


@pytest.mark.parametrize("names", [("101", "106"), ("101", "nsrdb/17052"), ("own-1", "own-2")])
def test_every_usable_window_weighs_one_where_rhythms_are_known(names: tuple[str, ...]) -> None:
    pool = Pool.of([windows(name, 4) for name in names])
    assert pool.weight.tolist() == [0, 1, 1, 1] * 2


def test_windows_of_unknown_rhythm_weigh_nothing_and_the_others_the_more() -> None:
    pool = Pool.of([windows("101", 4), windows("svdb/800", 4), windows("svdb/801", 4, "V")])
    assert pool.weight.tolist() == [0, 3, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0]
    assert pool.draw[[5, 6, 7, 9, 10, 11]].min() > 0, "their beats teach"


def test_the_autoencoder_learns_what_is_normal_from_known_rhythms_alone() -> None:
    pool = normal_only(Pool.of([windows("101", 4), windows("106", 4, "V"), windows("svdb/800", 4)]))
    assert len(pool.inputs) == 3
