import csv
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg.annotations import Annotations, read_annotations
from ecg.data import data_directory
from ecg.errors import EcgStreamError
from ecg.labels import AAMI, DS1, DS2, PACED, beat_labels, label_windows, records_named, rhythm_intervals
from ecg.wfdb_files import list_records

MITDB = data_directory() / "mitdb"
FS_HZ = 100.0
WINDOW = 500


def notes(*marks: tuple[int, str] | tuple[int, str, str]) -> Annotations:
    return Annotations(
        sample=np.array([mark[0] for mark in marks], np.int64),
        symbol=tuple(mark[1] for mark in marks),
        aux=tuple(mark[2] if len(mark) == 3 else "" for mark in marks),
    )


def abnormal(annotations: Annotations, windows: int = 4) -> list[bool]:
    return [bool(flag) for flag in label_windows(annotations, FS_HZ, np.arange(windows) * WINDOW).abnormal]


@pytest.mark.parametrize("symbol", ["A", "a", "J", "S", "V", "E", "r", "F"])
def test_one_beat_of_class_s_v_or_f_makes_its_window_abnormal(symbol: str) -> None:
    annotations = notes((100, "N"), (500, symbol), (600, "N"))
    labels = label_windows(annotations, FS_HZ, np.arange(4) * WINDOW)
    assert labels.abnormal.tolist() == [False, True, False, False]
    assert labels.reasons == ((), (AAMI[symbol],), (), ())


def test_a_window_holds_its_first_sample_and_not_the_one_after_its_last() -> None:
    assert abnormal(notes((499, "V"))) == [True, False, False, False]
    assert abnormal(notes((500, "V"))) == [False, True, False, False]


@pytest.mark.parametrize("symbol", ["N", "L", "R", "B", "e", "j", "n", "~", "|", "x", '"', "p"])
def test_class_n_and_what_is_no_beat_leave_a_window_normal(symbol: str) -> None:
    labels = label_windows(notes((100, symbol)), FS_HZ, [0])
    assert (labels.abnormal.tolist(), labels.left_out.tolist()) == ([False], [False])


@pytest.mark.parametrize("symbol", ["/", "f", "Q", "?"])
def test_a_window_with_class_q_is_left_out_unless_it_is_abnormal(symbol: str) -> None:
    labels = label_windows(notes((100, symbol), (600, symbol), (700, "V")), FS_HZ, [0, 500, 1000])
    assert labels.left_out.tolist() == [True, False, False]
    assert labels.abnormal.tolist() == [False, True, False]
    assert labels.reasons == (("Q",), ("V", "Q"), ())


def test_half_a_window_in_another_rhythm_makes_it_abnormal() -> None:
    assert abnormal(notes((0, "+", "(N"), (250, "+", "(AFIB"), (500, "+", "(N"))) == [True, False, False, False]
    assert abnormal(notes((0, "+", "(N"), (251, "+", "(AFIB"), (500, "+", "(N"))) == [False, False, False, False]


def test_two_rhythms_that_together_fill_half_a_window_count() -> None:
    labels = label_windows(notes((0, "+", "(B"), (125, "+", "(T"), (250, "+", "(N")), FS_HZ, [0])
    assert labels.reasons == (("(B", "(T"),)
    assert labels.abnormal.tolist() == [True]


@pytest.mark.parametrize("rhythm", ["(N", "(SBR", "(NOD", "(P"])
def test_normal_rhythms_and_the_time_before_the_first_are_normal(rhythm: str) -> None:
    assert abnormal(notes((600, "+", rhythm))) == [False, False, False, False]


def test_the_last_rhythm_lasts_to_the_end() -> None:
    assert abnormal(notes((700, "+", "(VFL"))) == [False, True, True, True]


def test_notes_that_name_no_rhythm_change_nothing() -> None:
    assert abnormal(notes((0, "+", "(AFIB"), (10, '"', "(N"), (20, "+", "TS"))) == [True, True, True, True]


def test_flutter_waves_and_the_stretch_between_brackets_are_abnormal() -> None:
    assert abnormal(notes((700, "!"))) == [False, True, False, False]
    assert abnormal(notes((450, "["), (1200, "]"))) == [True, True, True, False]
    assert abnormal(notes((1100, "["))) == [False, False, True, True]


def test_beats_are_those_with_a_class() -> None:
    beats = beat_labels(notes((0, "+", "(N"), (10, "N"), (20, "~"), (30, "V"), (40, "!"), (50, "/")))
    assert beats.sample.tolist() == [10, 30, 50]
    assert beats.aami.tolist() == ["N", "V", "Q"]


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.sampled_from("NVAF/Q+[]!~")), max_size=40).map(sorted),
    st.integers(1, 12),
)
def test_a_window_is_labelled_alone_as_among_others(marks: list[tuple[int, str]], windows: int) -> None:
    annotations = notes(*[(at, symbol, "(AFIB" if symbol == "+" and at % 2 else "(N") for at, symbol in marks])
    starts = np.arange(windows) * WINDOW
    together = label_windows(annotations, FS_HZ, starts)
    assert not np.any(together.abnormal & together.left_out)
    for number, start in enumerate(starts):
        alone = label_windows(annotations, FS_HZ, [start])
        assert alone.reasons[0] == together.reasons[number]
        assert alone.abnormal[0] == together.abnormal[number] == bool(set(alone.reasons[0]) - {"Q"})


def test_annotations_out_of_order_or_of_unlike_lengths_are_refused() -> None:
    with pytest.raises(EcgStreamError, match="time order"):
        notes((5, "N"), (4, "N"))
    with pytest.raises(EcgStreamError, match="give one of each"):
        Annotations(sample=np.array([1]), symbol=("N", "N"), aux=("",))


def test_the_split_is_between_patients_and_whole() -> None:
    assert (len(DS1), len(DS2), len(PACED)) == (22, 22, 4)
    assert len({*DS1, *DS2, *PACED}) == 48


@pytest.mark.data
def test_selections_of_records() -> None:
    assert records_named("DS1", MITDB) == DS1
    assert records_named("ds2", MITDB) == DS2
    assert records_named("100, 103,100", MITDB) == ("100", "103")
    assert set(records_named("all", MITDB)) == {*DS1, *DS2, *PACED}
    with pytest.raises(EcgStreamError, match="names no record"):
        records_named(" , ", MITDB)
    with pytest.raises(EcgStreamError, match="'999' is not in"):
        records_named("100,999", MITDB)


@pytest.mark.data
def test_classes_and_rhythms_of_every_record_equal_the_published_counts() -> None:
    with (MITDB / "mitdb_summary.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["record"] for row in rows} == set(list_records(MITDB))
    for row in rows:
        annotations = read_annotations(MITDB / row["record"])
        counts = Counter(beat_labels(annotations).aami.tolist())
        assert {letter: counts[letter] for letter in "NSVFQ"} == {letter: int(row[letter]) for letter in "NSVFQ"}
        assert sum(counts.values()) == int(row["beats"])
        assert " ".join(sorted({rhythm.name for rhythm in rhythm_intervals(annotations)})) == row["rhythms"]


@pytest.mark.data
def test_windows_of_the_test_set() -> None:
    windows = left_out = fraction = 0
    for name in DS2:
        labels = label_windows(read_annotations(MITDB / name), 360.0, np.arange(361) * 1800)
        windows += len(labels.abnormal)
        left_out += int(labels.left_out.sum())
        fraction += int(labels.abnormal.sum())
    assert (windows, left_out, fraction) == (7942, 6, 3253)
