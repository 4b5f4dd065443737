from datetime import UTC, datetime, timedelta
from pathlib import Path

import edfio
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg.errors import EcgStreamError
from ecg.files import open_recording, read_file
from ecg.records import MISSING, RecordOnDisk, to_millivolts


@pytest.fixture(scope="module")
def wave() -> npt.NDArray[np.float64]:
    """Ten seconds at 360 Hz in steps of 1/200 mV, as a recorder gives."""
    t = np.arange(3600) / 360
    return np.round(200 * (np.sin(2 * np.pi * 1.2 * t) ** 21 + 0.1 * np.sin(2 * np.pi * 0.3 * t))) / 200


def millivolts(path: Path, **options: object) -> npt.NDArray[np.float32]:
    record = read_file(path, **options)  # type: ignore[arg-type]  # options stand for any of its keywords
    return to_millivolts(record.samples, record.gain, record.baseline)


def write_csv(path: Path, header: list[str], columns: list[list[str]], separator: str = ",") -> Path:
    rows = [separator.join(row) for row in zip(*columns, strict=True)]
    path.write_text("\n".join([*header, *rows]) + "\n", encoding="utf-8")
    return path


def text(values: npt.NDArray[np.floating] | npt.NDArray[np.integer], form: str = "{:.3f}") -> list[str]:
    return [form.format(value) for value in values]


def test_csv_with_times_in_seconds_gives_rate_leads_and_millivolts(
    tmp_path: Path, wave: npt.NDArray[np.float64]
) -> None:
    t = np.arange(3600) / 360
    path = write_csv(tmp_path / "a.csv", ["time,MLII,V5"], [text(t, "{:.6f}"), text(wave), text(-wave)])
    record = read_file(path)
    assert (record.name, record.fs_hz, record.leads) == ("a", 360.0, ("MLII", "V5"))
    np.testing.assert_allclose(millivolts(path), np.stack([wave, -wave], axis=1), atol=0.0006)


@pytest.mark.parametrize("form", ["{:.3f}", "{:.6f}"])
def test_csv_times_rounded_to_milliseconds_still_give_the_whole_rate(
    tmp_path: Path, wave: npt.NDArray[np.float64], form: str
) -> None:
    path = write_csv(tmp_path / "a.csv", ["time,II"], [text(np.arange(3600) / 360, form), text(wave)])
    assert read_file(path).fs_hz == 360.0
    assert len(read_file(path).samples) == 3600


def test_mit_bih_export_of_sample_numbers_is_in_adc_units(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    units = text(wave * 200 + 1024, "{:.0f}")
    path = write_csv(tmp_path / "208.csv", ["'sample #','MLII','V5'"], [text(np.arange(3600), "{:.0f}"), units, units])
    with pytest.raises(EcgStreamError, match="give the sampling rate"):
        read_file(path)
    record = read_file(path, fs_hz=360)
    assert record.leads == ("MLII", "V5")
    assert record.gain == (200.0, 200.0)
    np.testing.assert_array_equal(
        record.samples[:, 0] - record.baseline[0], np.round(wave * 200) - np.median(wave * 200)
    )


def test_mit_bih_export_with_clock_and_units_line(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    clock = [f"'{int(s // 60)}:{s % 60:06.3f}'" for s in np.arange(3600) / 360]
    header = ["'Elapsed time','MLII'", "'hh:mm:ss.mmm','mV'"]
    path = write_csv(tmp_path / "a.csv", header, [clock, text(wave)])
    assert read_file(path).fs_hz == 360.0
    np.testing.assert_allclose(millivolts(path)[:, 0], wave, atol=0.0006)


def test_csv_units_in_the_header_and_semicolons_with_decimal_commas(
    tmp_path: Path, wave: npt.NDArray[np.float64]
) -> None:
    t = [f"{n * 4}" for n in range(3600)]
    cells = [cell.replace(".", ",") for cell in text(wave * 1000, "{:.1f}")]
    path = write_csv(tmp_path / "a.csv", ["time (ms);II [uV]"], [t, cells], separator=";")
    assert read_file(path).fs_hz == 250.0
    np.testing.assert_allclose(millivolts(path)[:, 0], wave, atol=0.0006)


def test_csv_without_header_finds_the_time_column_or_takes_the_rate(
    tmp_path: Path, wave: npt.NDArray[np.float64]
) -> None:
    timed = write_csv(tmp_path / "a.csv", [], [text(np.arange(3600) / 360, "{:.5f}"), text(wave)])
    assert (read_file(timed).fs_hz, read_file(timed).leads) == (360.0, ("signal 0",))
    bare = write_csv(tmp_path / "b.csv", [], [text(wave), text(wave)])
    assert read_file(bare, fs_hz=360, leads=("II", "V1")).leads == ("II", "V1")


def test_csv_of_twelve_leads_keeps_lead_i(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    path = write_csv(tmp_path / "a.csv", ["I,II,V1 (chest)"], [text(wave)] * 3)
    assert read_file(path, fs_hz=360).leads == ("I", "II", "V1 (chest)")


def test_an_index_as_pandas_writes_it_is_no_lead(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    path = write_csv(tmp_path / "a.csv", [",II"], [text(np.arange(3600), "{:.0f}"), text(wave)])
    assert read_file(path, fs_hz=360).leads == ("II",)
    np.testing.assert_allclose(millivolts(path, fs_hz=360)[:, 0], wave, atol=0.0006)


def test_csv_with_dates(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    start = datetime(2026, 3, 29, 0, 59, 58, tzinfo=UTC)
    stamps = [(start + timedelta(milliseconds=4 * n)).isoformat() for n in range(3600)]
    assert read_file(write_csv(tmp_path / "a.csv", ["timestamp,II"], [stamps, text(wave)])).fs_hz == 250.0


def test_empty_and_nan_cells_are_missing_samples(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    cells = text(wave)
    cells[5], cells[6], cells[7] = "", "NaN", "inf"
    path = write_csv(tmp_path / "a.csv", ["II,V1"], [cells, text(wave)])
    samples = read_file(path, fs_hz=360).samples
    assert np.flatnonzero(samples[:, 0] == MISSING).tolist() == [5, 6, 7]
    assert not np.any(samples[:, 1] == MISSING)


@pytest.mark.parametrize("header", ["time,II", "'sample #',II"])
def test_missing_rows_become_missing_samples(tmp_path: Path, wave: npt.NDArray[np.float64], header: str) -> None:
    clock = text(np.arange(3600) / 360) if header.startswith("time") else text(np.arange(3600), "{:.0f}")
    kept = [n for n in range(3600) if not 100 <= n < 1300]
    cells = text(wave)
    path = write_csv(tmp_path / "a.csv", [header], [[clock[n] for n in kept], [cells[n] for n in kept]])
    record = read_file(path, fs_hz=360, unit="mV")
    assert len(record.samples) == 3600
    assert np.flatnonzero(record.samples[:, 0] == MISSING).tolist() == list(range(100, 1300))
    np.testing.assert_allclose(
        to_millivolts(record.samples, record.gain, record.baseline)[1300:, 0], wave[1300:], atol=0.0006
    )


@pytest.mark.parametrize(
    ("content", "options", "match"),
    [
        ("", {}, "is empty"),
        ("II\n", {"fs_hz": 360}, "no row of numbers"),
        ("II\n0.1\nx\n", {"fs_hz": 360}, "row 2, column 1: 'x' is no number"),
        ("II\nx\n0.1\n", {"fs_hz": 360}, "row 1, column 1: 'x' is no number"),
        ("II\n0.1\n0.2\n", {}, "give the sampling rate"),
        ("II\n0.1\n0.2\n", {"fs_hz": 90}, "fs_hz=90 is below 100 Hz"),
        ("II\n1\n2000\n", {"fs_hz": 360}, "not in mV: give their unit"),
        ("II\n1\n2000\n", {"fs_hz": 360, "unit": "mmHg"}, "unit='mmHg' is not known"),
        ("II\n0.1\n", {"fs_hz": 360, "leads": ("V1",)}, "no lead 'V1': name one of II"),
        ("time,II\n0,1\n30,2\n", {}, "no rate from 100 to 1000 Hz"),
        ("time,II\n0,1\n0.004,2\n0.003,3\n0.008,3\n", {}, "row 3: the time goes back by 0.001 s: sort the rows"),
        ("time,II\n0,1\n0.004,2\n0.008,3\n4000,3\n", {}, "pauses for more than 3600 s"),
        ("time,II\n0,1\n0.004,2\n0.008,3\n", {"fs_hz": 360}, "says 250 Hz, the argument fs_hz=360"),
    ],
)
def test_text_that_is_no_ecg_is_refused_clearly(
    tmp_path: Path, content: str, options: dict[str, object], match: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(EcgStreamError, match=match):
        read_file(path, **options)  # type: ignore[arg-type]  # options stand for any of its keywords


def test_npy_of_one_or_more_leads(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    np.save(tmp_path / "one.npy", wave)
    np.save(tmp_path / "two.npy", np.stack([wave, -wave], axis=1).astype(np.float32))
    np.testing.assert_allclose(millivolts(tmp_path / "one.npy", fs_hz=360)[:, 0], wave, atol=0.0006)
    assert read_file(tmp_path / "two.npy", fs_hz=360, leads=("II", "V1")).leads == ("II", "V1")


def test_a_large_offset_costs_no_resolution(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    np.save(tmp_path / "a.npy", wave + 300.0)
    np.testing.assert_allclose(millivolts(tmp_path / "a.npy", fs_hz=360)[:, 0] - 300.0, wave, atol=0.001)


@pytest.mark.parametrize(
    ("array", "match"),
    [
        (np.zeros((2, 3, 4)), "below 5 s"),
        (np.zeros((2, 3, 4, 5)), "shape"),
        (np.zeros((2, 1800, 1)), "holds 2 windows"),
        (np.zeros((12, 5000)), "transpose"),
        (np.zeros(0), "shape"),
        (np.array(["a"]), "not numbers"),
        (np.array([{"a": 1}], dtype=object), "no plain numpy array"),
    ],
)
def test_arrays_that_are_no_ecg_are_refused_clearly(tmp_path: Path, array: npt.NDArray[np.generic], match: str) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(EcgStreamError, match=match):
        read_file(tmp_path / "a.npy", fs_hz=360)


def test_npy_needs_a_rate_and_whole_bytes(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    np.save(tmp_path / "a.npy", wave)
    with pytest.raises(EcgStreamError, match="sampling rate"):
        read_file(tmp_path / "a.npy")
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EcgStreamError, match="no plain numpy array"):
        read_file(tmp_path / "a.npy", fs_hz=360)


def edf(path: Path, *signals: edfio.EdfSignal) -> Path:
    edfio.Edf(list(signals)).write(path)
    return path


def test_edf_takes_the_ecg_and_keeps_its_integers(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    path = edf(
        tmp_path / "a.edf",
        edfio.EdfSignal(wave[:2000], 200, label="EEG Fpz", physical_dimension="uV"),
        edfio.EdfSignal(wave, 360, label="ECG II", physical_dimension="mV", physical_range=(-5, 5)),
        edfio.EdfSignal(wave * 1000, 360, label="ECG V1", physical_dimension="uV", physical_range=(-5000, 5000)),
    )
    record = read_file(path)
    assert (record.fs_hz, record.leads) == (360.0, ("ECG II", "ECG V1"))
    np.testing.assert_allclose(millivolts(path), np.stack([wave, wave], axis=1), atol=0.0004)
    assert read_file(path, leads=("ecg v1",)).leads == ("ECG V1",)


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 5000), start=st.integers(0, 3599), record_s=st.sampled_from([1.0, 0.5, 10.0]))
def test_any_part_of_an_edf_file_is_read_as_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, wave: npt.NDArray[np.float64], size: int, start: int, record_s: float
) -> None:
    signals = [
        edfio.EdfSignal(wave[:2000], 200, label="EEG Fpz", physical_dimension="uV"),
        edfio.EdfSignal(wave, 360, label="ECG II", physical_dimension="mV", physical_range=(-5, 5)),
        edfio.EdfSignal(wave[::-1], 360, label="ECG V1", physical_dimension="mV", physical_range=(-5, 5)),
    ]
    path = tmp_path_factory.mktemp("edf") / "a.edf"
    notes = [edfio.EdfAnnotation(1.0, None, "asleep")]
    edfio.Edf(signals, data_record_duration=record_s, annotations=notes).write(path)
    record = open_recording(path)
    assert isinstance(record, RecordOnDisk)
    whole = record.in_memory().samples
    np.testing.assert_array_equal(whole, np.stack([signal.digital for signal in signals[1:]], axis=1))
    np.testing.assert_array_equal(np.concatenate(list(record.pieces(size))), whole)
    np.testing.assert_array_equal(record.part(start, start + size), whole[start : start + size])


def test_edf_with_physical_minimum_above_maximum_is_turned_over(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    path = edf(
        tmp_path / "a.edf", edfio.EdfSignal(wave, 360, label="II", physical_dimension="mV", physical_range=(-5, 5))
    )
    raw = bytearray(path.read_bytes())
    # One signal: its physical minimum and maximum stand at bytes 360 and 368.
    raw[360:368], raw[368:376] = raw[368:376], raw[360:368]
    path.write_bytes(raw)
    np.testing.assert_allclose(millivolts(path)[:, 0], -wave, atol=0.0004)


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda raw: raw[:100], "should hold an EDF file, it holds a text"),
        (lambda raw: raw[:300], "no whole EDF header"),
        (lambda raw: raw[:600], "claims 10 data records of 720 bytes, it holds 88 bytes, not one of them"),
        (lambda raw: raw[:252] + b"0   " + raw[256:], "claims 0 signals"),
    ],
)
def test_damaged_edf_is_refused_clearly(
    tmp_path: Path, wave: npt.NDArray[np.float64], damage: "object", match: str
) -> None:
    path = edf(tmp_path / "a.edf", edfio.EdfSignal(wave, 360, label="ECG", physical_dimension="mV"))
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(EcgStreamError, match=match):
        read_file(path)


def test_edf_without_an_ecg_is_refused_with_what_it_has(tmp_path: Path, wave: npt.NDArray[np.float64]) -> None:
    path = edf(tmp_path / "a.edf", edfio.EdfSignal(wave[:100], 10, label="Resp", physical_dimension="mV"))
    with pytest.raises(EcgStreamError, match=r"it has Resp \(10 Hz, mV\)"):
        read_file(path)


def test_unknown_kinds_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(EcgStreamError, match="there is no file"):
        read_file(tmp_path / "nothing.csv")
    (tmp_path / "a.xyz").write_bytes(b"x")
    with pytest.raises(EcgStreamError, match=r"files of kind \.xyz are not read"):
        read_file(tmp_path / "a.xyz")
