"""The six patients of the demo are told apart."""

import pytest

from detector.scorer import Scorer
from ecg.excerpts import WARD
from tests.support.recordings import recording
from tests.support.verdicts import verdicts_of

QUIET = "19090-excerpt"
# What is found, and in how many of 60 windows there is something to be red about.
FOUND = {
    "119-excerpt": ({"trigeminy"}, (20, 45)),
    "201-excerpt": ({"atrial_fibrillation"}, (50, 60)),
    "806-excerpt": (set[str](), (8, 30)),
    "209-excerpt": ({"tachycardia"}, (20, 45)),
    "207-excerpt": ({"ventricular_flutter", "bigeminy"}, (30, 58)),
}


def test_a_quiet_heart_stays_green(scorer: Scorer) -> None:
    verdicts = verdicts_of(recording(QUIET), scorer)
    assert {verdict.decision for verdict in verdicts} == {"normal"}
    assert len(verdicts) == 60
    assert not [finding for verdict in verdicts for finding in verdict.findings]


@pytest.mark.parametrize("name", FOUND)
def test_what_a_patient_has_is_found_and_not_everywhere(scorer: Scorer, name: str) -> None:
    kinds, (least, most) = FOUND[name]
    verdicts = verdicts_of(recording(name), scorer)
    assert kinds <= {finding.kind for verdict in verdicts for finding in verdict.findings}
    assert least <= sum(verdict.decision == "abnormal" for verdict in verdicts) <= most


def test_premature_beats_of_the_atria_are_named(scorer: Scorer) -> None:
    beats = [beat for verdict in verdicts_of(recording("806-excerpt"), scorer) for beat in verdict.beats]
    assert sum(beat.beat_class == "S" for beat in beats) >= 10
    assert sum(beat.beat_class == "V" for beat in beats) <= 5


def test_every_patient_of_the_demo_is_tried_here() -> None:
    assert {QUIET, *FOUND} == set(WARD)
