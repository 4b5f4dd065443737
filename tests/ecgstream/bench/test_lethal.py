"""How onsets are made and counted; the run itself is minutes of real pace."""

import numpy as np
import pytest

from ecg.quality import flat_share
from ecgstream.bench.lethal import AFTER_S, BEFORE_S, Heard, LethalPlan, asystoles, figures, flutters
from producer.service import Replay
from tests.support.recordings import RECORDS

S = 1_000_000_000


@pytest.fixture
def plan() -> LethalPlan:
    return LethalPlan(phases=6, records=("101", "205"), folder=RECORDS, flutter="207-excerpt")


def test_a_heart_stops_at_random_and_leaves_noise_behind(plan: LethalPlan) -> None:
    onsets = asystoles(plan, np.random.default_rng(1))
    again = asystoles(plan, np.random.default_rng(1))
    assert [onset.index for onset in onsets] == [onset.index for onset in again]
    assert len({onset.index % 1800 for onset in onsets}) == 6, "another phase against the windows each"
    for onset in onsets:
        record = onset.patient.record
        assert BEFORE_S[0] <= onset.index / record.fs_hz <= BEFORE_S[1]
        silence = record.samples[onset.index :]
        assert len(silence) == AFTER_S * record.fs_hz
        assert np.ptp(silence, axis=0).max() < 40, "0.2 mV: no beat is left"
        assert flat_share(silence.T.copy(), record.fs_hz).max() == 0, "a lead that is off would be another thing"


def test_flutter_begins_where_it_is_annotated(plan: LethalPlan) -> None:
    onsets = flutters(plan, np.random.default_rng(1))
    assert len({onset.index for onset in onsets}) == 6
    for onset in onsets:
        assert len(onset.patient.record.samples) == onset.index + AFTER_S * 360
        assert onset.index >= 6 * 360


def test_alarms_are_timed_from_their_onsets(plan: LethalPlan) -> None:
    onsets = asystoles(plan, np.random.default_rng(1))
    heard = Heard("asystole")
    for number, onset in enumerate(onsets):
        onset_ns = Replay.begins_after_ns(number) + round(onset.index / 360 * S)
        if number < 4:  # the others' alarms never come
            early = number == 3
            heard.detected_ns[onset.patient.id] = onset_ns + (-1 if early else 4) * S
            heard.starts[onset.patient.id] = [heard.detected_ns[onset.patient.id]]
            heard.read_s[onset.patient.id] = onset_ns / 1e9 + 4 + number
    assert figures(onsets, heard, 0) == {
        "onsets": 6,
        "missed": 3,
        "alarms_before_onset": 1,
        "onset_to_alarm_s": {"p50": 5.0, "p95": 5.9, "max": 6.0},
    }


def test_what_cannot_be_measured_is_null() -> None:
    assert figures([], Heard("asystole"), 0)["onset_to_alarm_s"] == {"p50": None, "p95": None, "max": None}
