import numpy as np

from ecg.annotations import Annotations
from training.rhythm_episodes import RaisedAlarm, episode_figures, tally_episodes

FS_HZ = 250.0


def marks(*changes: tuple[float, str]) -> Annotations:
    return Annotations(
        sample=np.array([round(at_s * FS_HZ) for at_s, _ in changes], np.int64),
        symbol=("+",) * len(changes),
        aux=tuple(name for _, name in changes),
    )


def raised(condition: str, onset_s: float, last_s: float, raised_s: float) -> RaisedAlarm:
    return RaisedAlarm(condition=condition, onset_s=onset_s, last_s=last_s, raised_s=raised_s)


MARKS = marks(
    (0, "(N"), (60, "(VT"), (80, "(VF"), (95, "(VFL"), (120, "(N"), (300, "(ASYS"), (302, "(N"), (400, "(ASYS")
)


def test_an_episode_is_found_by_an_alarm_in_it() -> None:
    alarms = [
        raised("ventricular_tachycardia", 61, 78, 64),
        raised("ventricular_flutter", 79, 119, 83),
        raised("asystole", 399, 410, 405),
    ]
    figures = episode_figures({"418": tally_episodes(alarms, MARKS, FS_HZ, seconds=500)})
    assert figures["episodes"] == {
        "vf": {"n": 1, "found": 1, "median_delay_s": 3.0},
        "vt": {"n": 1, "found": 1, "median_delay_s": 4.0},
        "asystole": {"n": 1, "found": 1, "median_delay_s": 5.0},  # that of 2 s is none by definition
    }
    assert figures["false_lethal_per_hour"] == {
        "asystole": 0,
        "ventricular_flutter": 0,
        "ventricular_tachycardia": 0,
    }


def test_an_alarm_that_stands_when_an_episode_begins_finds_it_at_once() -> None:
    tally = tally_episodes([raised("ventricular_tachycardia", 61, 119, 64)], MARKS, FS_HZ, seconds=500)
    assert tally.delays_s["vf"] == [0.0]


def test_alarms_outside_their_episodes_are_false() -> None:
    alarms = [
        raised("asystole", 62, 70, 66),  # a tachycardia is no asystole
        raised("ventricular_flutter", 200, 204, 204),
        raised("ventricular_tachycardia", 122, 124, 126),  # so near behind the flutter that it tells of it
    ]
    tally = tally_episodes(alarms, MARKS, FS_HZ, seconds=3600)
    assert tally.false == {"asystole": 1, "ventricular_flutter": 1, "ventricular_tachycardia": 0}
    assert tally.missed == {"vf": 0, "vt": 1, "asystole": 1}
    assert episode_figures({"a": tally, "b": tally})["false_lethal_per_hour"]["asystole"] == 1.0


def test_what_is_raised_in_another_lethal_rhythm_or_high_grade_ectopy_is_told_apart() -> None:
    alarms = [
        raised("ventricular_flutter", 402, 410, 406),  # in asystole
        raised("ventricular_tachycardia", 720, 724, 726),
        raised("ventricular_tachycardia", 200, 204, 206),
    ]
    tally = tally_episodes(alarms, marks((0, "(N"), (400, "(ASYS"), (500, "(N"), (700, "(HGEA")), FS_HZ, seconds=3600)
    assert tally.false == {"asystole": 0, "ventricular_flutter": 1, "ventricular_tachycardia": 2}
    assert tally.not_in_vain == {"asystole": 0, "ventricular_flutter": 1, "ventricular_tachycardia": 1}


def test_nothing_to_find_is_null() -> None:
    figures = episode_figures({"a": tally_episodes([], marks((0, "(N")), FS_HZ, seconds=60)})
    assert figures["episodes"]["vf"] == {"n": 0, "found": 0, "median_delay_s": None}
