"""The data report: what it counts, that it shows nothing of a test record, and that no folder crashes it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg.annotations import Annotations
from ecg.errors import EcgStreamError
from ecg.wfdb_files import read_wfdb
from tests.training.recordings import FS_HZ, write_record
from training.data_report import data_report
from training.example_plots import Examples
from training.record_facts import UNKNOWN_RHYTHM, facts_of, is_test_record, rhythm_seconds, rr_statistics

BEAT_S = np.arange(0.5, 59.5, 0.75)
SYMBOLS = ["V" if number % 30 == 5 else "A" if number % 30 == 8 else "N" for number in range(len(BEAT_S))]
MOST_BYTES = 8_000_000


def annotations_of(*marks: tuple[float, str, str]) -> Annotations:
    return Annotations(
        sample=np.array([round(at_s * FS_HZ) for at_s, _, _ in marks], np.int64),
        symbol=tuple(symbol for _, symbol, _ in marks),
        aux=tuple(aux for _, _, aux in marks),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("someones <records>")
    for seed, name in enumerate(("101", "100", "mine", "bw", "em", "ma")):
        write_record(directory, name, beat_s=BEAT_S, symbols=SYMBOLS, seed=seed)
    rhythms = [(0.2, "+", "(N"), (30.1, "+", "(AFIB"), (40.1, "?", ""), (50.1, "x", "")]
    marks = annotations_of(*sorted([*((at_s, "N", "") for at_s in BEAT_S), *rhythms]))
    wfdb.wrann(
        "mine", "atr", marks.sample, symbol=list(marks.symbol), aux_note=list(marks.aux), fs=FS_HZ,
        write_dir=str(directory),
    )  # fmt: skip
    shutil.copyfile(directory / "101.hea", directory / "gone.hea")  # names 101.dat, but has no annotations
    (directory / "broken.hea").write_text("broken 2 360\n", encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def report(folder: Path) -> str:
    return data_report(folder, noise=folder, ecg5000_directory=folder)


def row_of(report: str, heading: str, record: str) -> list[str]:
    table = report[report.index(f'<h2 id="{heading}"') :]
    (row,) = re.findall(rf"<tr[^>]*><td>{record}</td>.*?</tr>", table[: table.index("<h2", 5)], re.DOTALL)
    return [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<td.*?</td>", row, re.DOTALL)]


def test_beats_are_counted_by_class_and_symbol(report: str) -> None:
    counts = {letter: SYMBOLS.count(letter) for letter in "NAV"}
    row = row_of(report, "beats", "101")
    assert row[:7] == ["101", "DS1", str(counts["N"]), str(counts["A"]), str(counts["V"]), "0", "0"]
    assert row[-1] == f"N {counts['N']}, V {counts['V']}, A {counts['A']}"


def test_rhythms_leads_and_windows_are_told(report: str) -> None:
    assert "(N 0.50" in row_of(report, "rhythms", "mine")[2]
    assert "(AFIB 0.50" in row_of(report, "rhythms", "mine")[2]
    assert row_of(report, "leads", "101")[2:6] == ["MLII, V1", "MLII", "V1", "360"]
    assert sum(int(count) for count in row_of(report, "windows", "101")[2:5]) == 12


def test_nothing_of_a_test_record_but_its_annotations_and_header(report: str, folder: Path) -> None:
    assert row_of(report, "beats", "100")[1] == "DS2 (test)"
    for heading in ("windows", "faults", "rr"):
        with pytest.raises(ValueError, match="not enough values"):
            row_of(report, heading, "100")
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", report)
    assert any("record 101" in caption for caption in captions)
    assert not any("100" in caption for caption in captions)
    assert facts_of(folder, "100").examined is None


def test_what_is_said_of_the_split_is_said_where_it_is_used(report: str, folder: Path, tmp_path: Path) -> None:
    assert "Of the test records (DS2)" in report
    for suffix in (".hea", ".dat", ".atr"):
        shutil.copyfile(folder / f"mine{suffix}", tmp_path / f"mine{suffix}")
    other = data_report(tmp_path, noise=tmp_path, ecg5000_directory=tmp_path)
    assert "test records" not in other
    assert "201" not in other[: other.index("<h2")]


def test_a_test_record_under_another_name_is_one(folder: Path, tmp_path: Path) -> None:
    for suffix in (".hea", ".dat", ".atr"):
        shutil.copyfile(folder / f"100{suffix}", tmp_path / f"{'mine' if suffix != '.dat' else '100'}{suffix}")
    assert is_test_record(tmp_path, "mine")
    assert facts_of(tmp_path, "mine").examined is None


def test_a_record_that_cannot_be_read_is_named_and_the_others_are_told(report: str) -> None:
    assert re.search(r"<b>broken</b>: \S+", report)
    assert re.search(r"<b>gone</b>: record gone has no annotations", report)


def test_the_page_needs_no_other_file_and_is_small(report: str) -> None:
    assert len(report.encode()) < MOST_BYTES
    assert report.count("<svg") > 8
    assert not re.search(r"<(script|link|img|iframe)\b|@import|url\((?!#)", report)
    assert all(target.startswith("#") for target in re.findall(r'(?:href|src)="([^"]*)"', report))
    ids = re.findall(r'\bid="([^"]+)"', report)
    assert len(ids) == len(set(ids))


def test_names_are_escaped_and_no_path_is_told(report: str, folder: Path) -> None:
    assert "someones &lt;records&gt;" in report
    assert "someones <" not in report
    assert str(folder.parent) not in report


def test_the_report_needs_no_torch(tmp_path: Path) -> None:
    program = "import sys, training.data_report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False).returncode == 0


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EcgStreamError, match="holds no record"):
        data_report(tmp_path, noise=tmp_path, ecg5000_directory=tmp_path)
    (tmp_path / "broken.hea").write_text("broken 2 360\n", encoding="utf-8")
    with pytest.raises(EcgStreamError, match=r"can be reported on.*broken"):
        data_report(tmp_path, noise=tmp_path, ecg5000_directory=tmp_path)


def test_unknown_symbols_are_counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marks = annotations_of((1.0, "N", ""), (2.0, "\N{SNOWMAN}", ""), (3.0, "N", ""), (4.0, "~", ""))
    monkeypatch.setattr("training.record_facts.read_annotations", lambda _: marks)
    facts = facts_of(folder, "101")
    assert facts.unknown == ("\N{SNOWMAN}",)
    assert facts.symbols["\N{SNOWMAN}"] == 1
    assert facts.beats["N"] == 2


def test_time_before_the_first_rhythm_is_not_annotated(folder: Path) -> None:
    record = read_wfdb(folder / "101")
    seconds = rhythm_seconds(annotations_of((10.0, "+", "(N"), (40.0, "+", "(AFIB"), (50.0, "+", "(N")), record)
    assert seconds == pytest.approx({"(N": 40.0, UNKNOWN_RHYTHM: 10.0, "(AFIB": 10.0})
    assert rhythm_seconds(annotations_of((1.0, "N", "")), record) == {UNKNOWN_RHYTHM: 60.0}


def test_rr_statistics_leave_flutter_out() -> None:
    marks = [
        (1.0, "N", ""),
        (2.0, "N", ""),
        (3.0, "N", ""),
        (3.5, "[", ""),
        (9.5, "]", ""),
        (10.0, "N", ""),
        (11.5, "N", ""),
    ]
    rr = rr_statistics(annotations_of(*marks), FS_HZ)
    assert rr is not None
    assert (rr.count, rr.median_s, rr.longest_s, rr.rate_bpm) == (3, 1.0, 1.5, 60.0)
    assert rr.rmssd_ms == pytest.approx(1000 * np.sqrt(0.125))
    assert rr_statistics(annotations_of(*marks[:2]), FS_HZ) is None


def test_examples_come_from_the_records_that_have_the_most_and_lie_within_them(folder: Path) -> None:
    examples = Examples(folder, ["101", "mine"])
    assert examples.symbols()["V"] == ["101"]
    (place,) = examples.classes()["V"]
    strip = examples.strip(place)
    assert strip.seconds == 6.0
    assert strip.reference is not None
    assert any(beat.beat_class == "V" for beat in strip.reference)
    bundle = examples.bundle("V", "101")
    assert bundle.total == SYMBOLS.count("V")
    # The pulse stands at its annotation.
    assert abs(int(bundle.beats_mv[:, :, 0].mean(axis=0).argmax()) / FS_HZ - 0.3) < 0.02
    assert set(examples.rhythms()) == {"(N", "(AFIB"}
