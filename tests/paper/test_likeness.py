"""Pictures that hold no ECG are refused, whatever lines are in them; a heart that does not beat is one."""

import numpy as np
import pytest

from ecgstream.bench.paper_without import KINDS, pictures
from paper.layouts import STANDARD
from paper.reading import Hints, NoEcgError, read_page
from paper.rendering import PageStyle, draw_page

FS_HZ = 500
SECONDS = 10
# Of the kinds those that were read once, and others; `ecgstream bench paper` has all.
DRAWN = ["table", "sine", "curve", "scribbles", "bars", "music", "streets", "clouds", "earthquake", "empty"]


@pytest.mark.parametrize("kind", DRAWN)
def test_lines_that_are_no_ecg_are_refused(kind: str) -> None:
    with pytest.raises(NoEcgError):
        read_page(KINDS[kind](np.random.default_rng(7)))


def test_who_sees_an_ecg_may_say_so() -> None:
    page = KINDS["scribbles"](np.random.default_rng(7))
    with pytest.raises(NoEcgError, match="do not look like an ECG"):
        read_page(page)
    assert read_page(page, hints=Hints(leads=("II",))).leads


@pytest.mark.parametrize("rhythm", ["fibrillation", "still"])
def test_a_heart_that_does_not_beat_is_an_ecg(rhythm: str) -> None:
    t_s = np.arange(SECONDS * FS_HZ) / FS_HZ
    rng = np.random.default_rng(3)
    lead = {
        "fibrillation": sum(
            rng.uniform(0.1, 0.3) * np.sin(2 * np.pi * f_hz * t_s + rng.uniform(0, 6)) for f_hz in (3.7, 4.6, 5.3, 6.1)
        ),
        "still": 0.02 * np.sin(2 * np.pi * 0.3 * t_s),
    }[rhythm] + rng.normal(0, 0.005, len(t_s))
    # Neither name, speed nor gain is written on it.
    style = PageStyle(layout="1x1", labels=False, legend=False)
    page = draw_page(dict.fromkeys(STANDARD, lead), FS_HZ, style)
    assert read_page(page.image).record.seconds == pytest.approx(SECONDS, rel=0.03)


def test_pictures_are_the_same_again_and_of_every_kind() -> None:
    drawn = list(pictures(count=len(KINDS), seed=1))
    assert [picture.name.split("-", 1)[1] for picture in drawn] == list(KINDS)
    for once, again in zip(drawn, pictures(count=len(KINDS), seed=1), strict=True):
        np.testing.assert_array_equal(once.image, again.image)
