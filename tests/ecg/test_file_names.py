from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecg.errors import EcgStreamError
from ecg.file_names import MAX_NAME, is_litter, plain_name, plain_path, stored_name


@pytest.mark.parametrize(
    "name", ["100.hea", "Müller 2026-01-02.csv", "心电图.edf", "a.b.c.npy", "x (2).csv", "=1+1.csv"]
)
def test_ordinary_names_stay(name: str) -> None:
    assert plain_name(name) == name


def test_a_time_of_day_is_no_path() -> None:
    assert plain_name("ECG 2025-03-01T10:11:12.csv") == "ECG 2025-03-01T10:11:12.csv"
    assert stored_name("ECG 10:11:12?.csv") == "ECG 10_11_12_.csv"


def test_folders_of_an_archive_stand_between_either_slash() -> None:
    assert plain_path("set\\a/b.hea") == ("set", "a", "b.hea")


@pytest.mark.parametrize("name", ["__MACOSX/._r.hea", "set/._r.hea", "a/.DS_Store", "Thumbs.db", "a\\desktop.ini"])
def test_what_desktops_add_is_litter(name: str) -> None:
    assert is_litter(name)
    assert not is_litter("set/r.hea")


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "has no name"),
        ("  ", "has no name"),
        ("../100.hea", "not paths"),
        ("/etc/passwd", "not paths"),
        ("C:\\ecg\\100.hea", "not paths"),
        ("http://host/100.hea", "not paths"),
        (".hidden.csv", "begins with a dot"),
        ("..", "begins with a dot"),
        ("a\nb.csv", "cannot be shown"),
        ("a\x00.csv", "cannot be shown"),
        ("a\x1b[2J.csv", "cannot be shown"),
        ("gpj\u202egpj.csv", "cannot be shown"),
        ("a\u2028b.csv", "cannot be shown"),
        ("x" * 121, "above 120"),
        (" 100.hea", "space around"),
    ],
)
def test_names_that_mean_more_than_a_name_are_refused(name: str, complaint: str) -> None:
    with pytest.raises(EcgStreamError, match=complaint):
        plain_name(name)


@given(st.text())
def test_whatever_is_taken_is_one_name_in_its_folder(given_name: str) -> None:
    try:
        name = plain_name(given_name)
    except EcgStreamError:
        return
    assert Path("/folder", name).resolve().parent == Path("/folder")
    assert name.isprintable()
    assert 1 <= len(name) <= MAX_NAME


@given(st.text(alphabet="ab./\\:~ \x00-", max_size=30))
def test_no_member_of_an_archive_leaves_its_folder(given_name: str) -> None:
    try:
        parts = plain_path(given_name)
    except EcgStreamError:
        return
    assert Path("/folder", *parts).resolve().is_relative_to("/folder")
    assert ".." not in parts
