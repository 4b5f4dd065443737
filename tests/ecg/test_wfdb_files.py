import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import wfdb
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg.data import data_directory
from ecg.errors import EcgStreamError
from ecg.records import MISSING, RecordOnDisk, to_millivolts
from ecg.wfdb_files import TOY_NAME, find_record, list_records, load_record, open_wfdb, read_noise, read_wfdb
from ecg.wfdb_header import read_header

MITDB = data_directory() / "mitdb"


def write(
    directory: Path,
    signals: npt.NDArray[np.int64],
    *,
    fmt: str = "16",
    fs: float = 360,
    units: tuple[str, ...] = ("mV", "mV"),
    gain: float = 200.0,
    baseline: int = 1024,
) -> Path:
    n_leads = signals.shape[1]
    wfdb.wrsamp(
        "r",
        fs=fs,
        units=list(units[:n_leads]),
        sig_name=["MLII", "V5"][:n_leads],
        d_signal=signals,
        fmt=[fmt] * n_leads,
        adc_gain=[gain] * n_leads,
        baseline=[baseline] * n_leads,
        write_dir=str(directory),
    )
    return directory / "r.hea"


def ramp(low: int, high: int, count: int = 720) -> npt.NDArray[np.int64]:
    return np.stack([np.linspace(low, high, count), np.linspace(high, low, count)], axis=1).astype(np.int64)


@pytest.mark.parametrize(("fmt", "low", "high"), [("16", -9000, 9000), ("212", -2000, 2000), ("80", -120, 120)])
@pytest.mark.parametrize("fs", [100.0, 128.5, 360.0, 1000.0])
def test_integers_come_back_as_written(tmp_path: Path, fmt: str, low: int, high: int, fs: float) -> None:
    signals = ramp(low, high)
    record = read_wfdb(write(tmp_path, signals, fmt=fmt, fs=fs))
    assert (record.name, record.fs_hz, record.leads) == ("r", fs, ("MLII", "V5"))
    assert (record.gain, record.baseline) == ((200.0, 200.0), (1024, 1024))
    np.testing.assert_array_equal(record.samples, signals)


LOWEST = {
    "80": -(2**7),
    "212": -(2**11),
    "16": -(2**15),
    "61": -(2**15),
    "160": -(2**15),
    "24": -(2**23),
    "32": -(2**31),
}


@pytest.fixture(scope="module", params=LOWEST)
def packed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of two leads in one file and one in another, of an odd number of samples, the lowest among them."""
    folder, fmt = tmp_path_factory.mktemp("packed"), request.param
    signals = np.random.default_rng(1).integers(LOWEST[fmt], -LOWEST[fmt], (361, 3))
    signals[7], signals[9] = LOWEST[fmt], -LOWEST[fmt] - 1
    here = {"61": "16", "160": "16"}.get(fmt, fmt)  # what the package writes
    lines: list[str] = []
    for name, leads in (("a", ["I", "II"]), ("b", ["III"])):
        columns = signals[:, :2] if name == "a" else signals[:, 2:]
        scale = {"adc_gain": [200.0] * len(leads), "baseline": [0] * len(leads), "units": ["mV"] * len(leads)}
        wfdb.wrsamp(
            name, fs=360, sig_name=leads, d_signal=columns, fmt=[here] * len(leads), write_dir=str(folder), **scale
        )
        lines += (folder / f"{name}.hea").read_text().splitlines()[1:]
        data = folder / f"{name}.dat"
        if fmt == "61":
            data.write_bytes(np.fromfile(data, "<i2").astype(">i2").tobytes())
        if fmt == "160":
            data.write_bytes((np.fromfile(data, "<i2").astype(np.int32) + 2**15).astype("<u2").tobytes())
    (folder / "r.hea").write_text("\n".join(["r 3 360 361", *lines]).replace(f".dat {here}", f".dat {fmt}") + "\n")
    return folder / "r.hea"


def test_samples_are_what_wfdb_reads(packed: Path) -> None:
    record = open_wfdb(packed)
    assert isinstance(record, RecordOnDisk)
    here = record.in_memory()
    expected = wfdb.rdrecord(str(packed.with_suffix("")), physical=False)
    taken = expected.d_signal != expected.d_signal.min()
    np.testing.assert_array_equal(here.samples != MISSING, taken)
    # Samples of 24 and 32 bits are scaled: by half a step they are off.
    there = np.where(taken, expected.d_signal / 200.0, np.nan)
    steps = 1.0 / np.array(here.gain)
    assert (np.abs(to_millivolts(here.samples, here.gain, here.baseline) - there) <= steps)[taken].all()


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 400), start=st.integers(0, 360))
def test_any_part_is_read_as_of_the_whole(packed: Path, size: int, start: int) -> None:
    record = open_wfdb(packed)
    whole = record.in_memory().samples
    np.testing.assert_array_equal(np.concatenate(list(record.pieces(size))), whole)
    np.testing.assert_array_equal(record.part(start, start + size), whole[start : start + size])
    chosen = open_wfdb(packed, leads=(record.leads[2], record.leads[0]))
    np.testing.assert_array_equal(chosen.part(start, start + size), whole[start:, [2, 0]][:size])


def test_a_file_that_becomes_shorter_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    record = open_wfdb(write(tmp_path, ramp(-900, 900)))
    (tmp_path / "r.dat").write_bytes(b"1234")
    with pytest.raises(EcgStreamError, match="became shorter while it was read"):
        record.part(0, 720)


@pytest.mark.parametrize(
    ("line", "gain", "baseline", "name"),
    [
        ("r.dat 16", 200.0, 0, ""),
        ("r.dat 16 0", 200.0, 0, ""),
        ("r.dat 16 100.5 12 7", 100.5, 7, ""),
        ("r.dat 16 100(-3)/mV 12 7 0 0 0 lead  of the chest", 100.0, -3, "lead  of the chest"),
        ("r.dat 16 1.5e2/mV 16 0 995 -22131 0 MLII", 150.0, 0, "MLII"),
        ("r.dat 16 200(0.0)/mV 16 0 V1", 200.0, 0, "V1"),
    ],
)
def test_fields_that_a_header_leaves_out_have_their_defaults(
    tmp_path: Path, line: str, gain: float, baseline: int, name: str
) -> None:
    (tmp_path / "r.hea").write_text(f"# a remark\nr 1\n{line}\n")
    header = read_header(tmp_path / "r.hea")
    assert (header.fs_hz, header.length, len(header.signals)) == (None, None, 1)
    (signal,) = header.signals
    assert (signal.gain, signal.baseline, signal.name, signal.unit) == (gain, baseline, name, "mV")


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_microvolts_with_a_greek_letter_are_no_volts(tmp_path: Path, encoding: str) -> None:
    header = write(tmp_path, ramp(-900, 900), gain=0.2, units=("uV", "uV"))
    header.write_text(header.read_text().replace("uV", "µV"), encoding=encoding)
    assert read_wfdb(header).gain == pytest.approx((200.0, 200.0))


def test_a_header_without_a_length_means_all_that_is_there(tmp_path: Path) -> None:
    header = write(tmp_path, ramp(-900, 900))
    header.write_text(header.read_text().replace("r 2 360 720", "r 2 360"))
    assert read_wfdb(header).seconds == 2.0


def test_a_lead_with_a_skew_is_moved(tmp_path: Path) -> None:
    signals = ramp(-900, 900)
    header = write(tmp_path, signals)
    header.write_text(header.read_text().replace("r.dat 16 ", "r.dat 16:3 ", 1))
    np.testing.assert_array_equal(read_wfdb(header).samples[:-3, 0], signals[3:, 0])


def test_the_mark_of_each_format_becomes_missing(tmp_path: Path) -> None:
    signals = ramp(-2000, 2000)
    signals[7, 0] = -2048
    record = read_wfdb(write(tmp_path, signals, fmt="212"))
    assert np.argwhere(record.samples == MISSING).tolist() == [[7, 0]]


@pytest.mark.parametrize(("unit", "gain"), [("uV", 0.2), ("V", 200_000.0), ("mV", 200.0)])
def test_gain_is_per_millivolt_whatever_the_unit(tmp_path: Path, unit: str, gain: float) -> None:
    record = read_wfdb(write(tmp_path, ramp(-900, 900), gain=gain, units=(unit, unit)))
    assert record.gain == pytest.approx((200.0, 200.0))


def test_wide_samples_are_shifted_without_loss_or_else_scaled(tmp_path: Path) -> None:
    shifted = read_wfdb(write(tmp_path, ramp(1_000_000, 1_020_000), fmt="32", baseline=1_000_000))
    np.testing.assert_allclose(
        to_millivolts(shifted.samples, shifted.gain, shifted.baseline)[:, 0], np.arange(720) / 719 * 100, atol=0.005
    )
    assert shifted.gain == (200.0, 200.0)
    scaled = read_wfdb(write(tmp_path, ramp(-4_000_000, 4_000_000), fmt="24", gain=100_000.0, baseline=0))
    millivolts = to_millivolts(scaled.samples, scaled.gain, scaled.baseline)
    np.testing.assert_allclose(millivolts[:, 0], np.linspace(-40, 40, 720), atol=80 / 60_000)


def test_a_lead_that_was_never_on_is_all_missing(tmp_path: Path) -> None:
    signals = ramp(-900, 900)
    signals[:, 1] = -32768
    assert np.all(read_wfdb(write(tmp_path, signals)).samples[:, 1] == MISSING)


def test_signals_that_are_no_voltage_are_left_out(tmp_path: Path) -> None:
    assert read_wfdb(write(tmp_path, ramp(-900, 900), units=("mmHg", "mV"))).leads == ("V5",)
    with pytest.raises(EcgStreamError, match="which is no voltage: if it is an ECG, give its unit"):
        read_wfdb(write(tmp_path, ramp(-900, 900), units=("mmHg", "NU")))


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("r 2 360 721", "claims 721 samples, r.dat holds 720: restore"),
        ("r 2 360 65000", "claims 65000 samples, r.dat holds 720: restore"),
        ("r 2 360 100", "claims 100 samples, r.dat holds 720: restore the file, or write 720"),
        ("r 2 90 720", "sampled at less than 100 Hz"),
        ("r 2 100000 720", "sampled at more than 64000 Hz"),
        ("r 0 360 720", "names no signal"),
        ("r/3 2 360 720", "segments"),
        ("!!!", "is no WFDB header"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path: Path, line: str, match: str) -> None:
    header = write(tmp_path, ramp(-900, 900))
    signals = header.read_text().splitlines()[1:]
    if line.startswith("r/3"):
        signals = ["a 240", "b 240", "c 240"]
    if line.startswith("r 0"):
        signals = []
    header.write_text("\n".join([line, *signals]) + "\n")
    with pytest.raises(EcgStreamError, match=match):
        read_wfdb(header)


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("r.dat 16", "r.dat 16x2", "claims 720 samples, r.dat holds 360"),
        ("r.dat 16", "r.dat 99", "format 99"),
        ("r.dat", "../r.dat", "beside its header"),
        ("r.dat", "other.dat", "not in"),
    ],
)
def test_signal_lines_that_cannot_be_followed_are_refused(tmp_path: Path, old: str, new: str, match: str) -> None:
    header = write(tmp_path, ramp(-900, 900))
    header.write_text(header.read_text().replace(old, new))
    with pytest.raises(EcgStreamError, match=match):
        read_wfdb(header)


def test_a_signal_file_cut_short_is_refused(tmp_path: Path) -> None:
    header = write(tmp_path, ramp(-900, 900))
    data = tmp_path / "r.dat"
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(EcgStreamError, match=r"claims 720 samples, r.dat holds 250"):
        read_wfdb(header)


def test_records_are_found_by_name(tmp_path: Path) -> None:
    write(tmp_path, ramp(-900, 900))
    assert list_records(tmp_path) == ("r",)
    assert find_record("r", tmp_path) == tmp_path / "r.hea"
    assert load_record("r", tmp_path).name == "r"
    for name in ("999", "../r", ""):
        with pytest.raises(EcgStreamError, match="there are r"):
            find_record(name, tmp_path)
    with pytest.raises(EcgStreamError, match=r"no file 999\.hea"):
        read_wfdb(tmp_path / "999")
    with pytest.raises(EcgStreamError, match="there is no folder"):
        list_records(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(EcgStreamError, match="holds no record"):
        list_records(tmp_path / "empty")


def test_the_recording_that_is_always_there(tmp_path: Path) -> None:
    record = load_record(TOY_NAME, tmp_path)
    assert (record.name, record.fs_hz, record.leads, record.seconds) == ("208-excerpt", 360.0, ("MLII",), 300.0)
    assert not np.any(record.samples == MISSING)


@pytest.mark.data
def test_every_record_of_the_database_reads_with_its_leads() -> None:
    with (MITDB / "mitdb_summary.csv").open(encoding="utf-8") as file:
        rows = {row["record"]: row["leads"] for row in csv.DictReader(file)}
    assert set(list_records(MITDB)) == set(rows)
    for name, leads in rows.items():
        record = load_record(name, MITDB)
        assert ("+".join(record.leads), record.samples.shape, record.fs_hz) == (leads, (650_000, 2), 360.0)


@pytest.mark.data("nstdb")
def test_noise_records_have_the_default_gain() -> None:
    for name in ("bw", "em", "ma"):
        assert read_noise(data_directory() / "nstdb" / name).gain == (200.0, 200.0)
