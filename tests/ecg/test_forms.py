"""Recordings as others send them: each form is read as the plain WFDB record of the same samples, or told how to."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import scipy.io
import wfdb as wfdb_package

from ecg.errors import EcgStreamError
from ecg.files import open_recording
from ecg.intake import recordings_at
from ecg.records import MISSING, Recording, to_millivolts
from tests.ecg.forms import (
    BASELINE,
    COUNT,
    FS_HZ,
    GAIN,
    LEADS,
    Writer,
    aecg,
    base,
    dicom,
    edf,
    ishne,
    millivolts,
    muse,
    wfdb,
)

STEP_MV = 1 / GAIN
CASES = Path(__file__).resolve().parents[3] / "shared" / "cases"


def read(path: Path, **given: object) -> Recording:
    found = open_recording(path, **given)  # type: ignore[arg-type]  # any of its keywords
    assert isinstance(found, Recording)
    return found


def signal(found: Recording) -> npt.NDArray[np.float64]:
    samples = found.part(0, found.length)
    return to_millivolts(samples, found.gain, found.baseline).astype(np.float64)


def same(found: Recording, columns: tuple[int, ...] = (0, 1), *, missing: slice | None = None) -> None:
    """The samples are those of the base; where they are to be missing, they are."""
    assert found.fs_hz == FS_HZ
    expected = millivolts()[: found.length, list(columns)]
    if missing is not None:
        expected[missing] = np.nan
    np.testing.assert_allclose(signal(found), expected, atol=STEP_MV * 0.6)


def big_endian(folder: Path) -> Path:
    header = wfdb(folder, fields="61 200(1024)/mV 16 0 0 0 0")
    (folder / "r.dat").write_bytes(base().astype(">i2").tobytes())
    return header


def packed(fmt: str) -> Writer:
    """A record of a format, by the package wfdb where it can write it."""

    def write(folder: Path) -> Path:
        folder.mkdir(exist_ok=True)
        scale = {"adc_gain": [GAIN] * 2, "baseline": [BASELINE] * 2, "units": ["mV"] * 2}
        if fmt in {"8", "310", "311"}:
            header = wfdb(folder, fields=f"{fmt} 200(1024)/mV 12 0 {{}} 0 0")
            lines = header.read_text().splitlines()
            first = base()[0]
            header.write_text("\n".join([lines[0], *(lines[1 + n].format(first[n]) for n in (0, 1))]) + "\n")
            (folder / "r.dat").write_bytes(by_hand(fmt))
            return header
        own = {"61": "16"}.get(fmt, fmt)
        wfdb_package.wrsamp(
            "r",
            fs=FS_HZ,
            sig_name=list(LEADS),
            d_signal=base().astype(int),
            fmt=[own] * 2,
            write_dir=str(folder),
            **scale,
        )
        return folder / "r.hea"

    return write


def by_hand(fmt: str) -> bytes:
    """Samples of formats that no package writes: differences, or three of ten bits in four bytes."""
    if fmt == "8":
        return np.diff(base(), axis=0, prepend=base()[:1]).clip(-128, 127).astype(np.int8).tobytes()
    tens = ((base().reshape(-1).astype(np.int32) - BASELINE) // 4) & 0x3FF
    tens = np.append(tens, np.zeros(-len(tens) % 3, np.int32)).reshape(-1, 3)
    if fmt == "310":
        low = tens[:, 0] << 1 & 0x7FE | (tens[:, 2] & 0x1F) << 11
        high = tens[:, 1] << 1 & 0x7FE | (tens[:, 2] >> 5 & 0x1F) << 11
        return np.stack([low, high], axis=1).astype("<u2").tobytes()
    return (tens[:, 0] | tens[:, 1] << 10 | tens[:, 2] << 20).astype("<u4").tobytes()


def mat_with_header(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    scipy.io.savemat(folder / "E1.mat", {"val": base().T}, format="4")
    lines = [f"E1.mat 16+24 200(1024)/mV 16 0 0 0 0 {name}" for name in LEADS]
    (folder / "E1.hea").write_text("\n".join(["E1.mat 2 360 7200 05-May-2020 09:49:17", *lines, "#Age: 74"]) + "\n")
    return folder / "E1.mat"


def segments(folder: Path, *, layout: bool, gain: str = "200") -> Path:
    """Ten seconds, two of pause, eight; with a layout segment the second has its leads the other way round."""
    wfdb(folder, record="s1", line="r 2 360 3600", header="s1.hea", data="s1.dat", values=base()[:3600])
    order = [1, 0] if layout else [0, 1]
    scaled = base()[4320:, order]
    if gain == "100":
        scaled = ((scaled.astype(int) - BASELINE) // 2 + BASELINE).astype(np.int16)
    names = tuple(LEADS[column] for column in order)
    fields = f"16 {gain}(1024)/mV 16 0 0 0 0"
    wfdb(
        folder,
        record="s2",
        line="r 2 360 2880",
        header="s2.hea",
        data="s2.dat",
        values=scaled,
        names=names,
        fields=fields,
    )
    lines = ["m/4 2 360 7200", "m_layout 0", "s1 3600", "~ 720", "s2 2880"] if layout else ["m/3 2 360 7200"]
    lines += [] if layout else ["s1 3600", "~ 720", "s2 2880"]
    (folder / "m.hea").write_text("\n".join(lines) + "\n")
    described = "\n".join(f"~ 0 200(1024)/mV 16 0 0 0 0 {name}" for name in LEADS)
    (folder / "m_layout.hea").write_text(f"m_layout 2 360 0\n{described}\n")
    return folder / "m.hea"


def frames(folder: Path) -> Path:
    """Frames of 90 Hz: four samples of each lead, and one of the respiration, which is too slow for an ECG."""
    values = np.concatenate([base().reshape(-1, 4, 2).transpose(0, 2, 1).reshape(-1, 8), np.zeros((1800, 1))], axis=1)
    header = wfdb(folder, line="r 3 90 1800", values=values, names=(*LEADS, "RESP"))
    lines = header.read_text().splitlines()
    lines[1:3] = [line.replace(" 16 ", " 16x4 ", 1) for line in lines[1:3]]
    header.write_text("\n".join(lines) + "\n")
    return header


GAP = slice(3600, 4320)
AS_PLAIN: dict[str, Writer] = {
    "plain": wfdb,
    "record name without a suffix": lambda folder: wfdb(folder).with_suffix(""),
    "any file of it": lambda folder: wfdb(folder).with_suffix(".dat"),
    "capital suffix": lambda folder: wfdb(folder, header="r.HEA", data="r.DAT"),
    "capital suffix, small name inside": lambda folder: wfdb(folder, header="R.HEA", data="R.DAT", named="r.dat"),
    "dots in the name": lambda folder: wfdb(folder, record="p1.day2", header="p1.day2.hea", data="p1.day2.dat"),
    "dots, without a suffix": lambda folder: wfdb(
        folder, record="p1.day2", header="p1.day2.hea", data="p1.day2.dat"
    ).with_suffix(""),
    "second download": lambda folder: wfdb(folder, header="r (1).hea", data="r (1).dat", named="r.dat"),
    "renamed with its samples": lambda folder: wfdb(folder, header="Miller.hea", data="Miller.dat", named="r.dat"),
    "date as in CinC 2020": lambda folder: wfdb(folder, line="r 2 360 7200 05-May-2020 09:49:17"),
    "date and no length": lambda folder: wfdb(folder, line="r 2 360 01/02/2020"),
    "counter frequency": lambda folder: wfdb(folder, line="r 2 360/1(0) 7200 12:00:00 01/02/2020"),
    "decimal comma": lambda folder: wfdb(folder, line="r 2 360,0 7200", fields="16 200,0(1024)/mV 16 0 0 0 0"),
    "byte order mark": lambda folder: wfdb(folder, encoding="utf-8-sig"),
    "UTF-16": lambda folder: wfdb(folder, encoding="utf-16"),
    "degree sign": lambda folder: wfdb(folder, names=("MLII", "V1"), encoding="latin-1", line="r 2 360 7200 # 37 °C"),
    "gain below 0": lambda folder: wfdb(folder, fields="16 -200(1024)/mV 16", values=2 * BASELINE - base().astype(int)),
    "bytes before the samples": lambda folder: wfdb(folder, fields="16+24 200(1024)/mV 16", before=b"\0" * 24),
    "several samples a frame": frames,
    ".mat with its header": mat_with_header,
    "big endian": big_endian,
    **{f"format {fmt}": packed(fmt) for fmt in ("16", "24", "32", "212", "516", "524")},
    **{
        f"unit {unit}": lambda folder, unit=unit, gain=gain: wfdb(  # type: ignore[misc] # mypy guesses no default
            folder, fields=f"16 {gain}(1024)/{unit} 16 0 0 0 0", encoding=encoding_of(unit)
        )
        for unit, gain in (
            *dict.fromkeys(("mV", "MV", "millivolts", "mVolts", "milliV"), 200).items(),
            *dict.fromkeys(("uV", "UV", "microV", "µV", "μV", "microvolt", "Âµv", "?V"), 0.2).items(),
            *dict.fromkeys(("V", "volts"), 200_000).items(),
            ("nV", 0.0002),
        )
    },
    "ISHNE": lambda folder: ishne(folder / "a.ecg"),
    "ISHNE without a suffix": lambda folder: ishne(folder / "holter"),
    "ISHNE that counts all samples": lambda folder: ishne(folder / "a.ecg", claimed=2 * COUNT),
    "aECG": lambda folder: aecg(folder / "a.xml"),
    "aECG in milliseconds": lambda folder: aecg(folder / "a.xml", step='value="2.7777777" unit="ms"'),
    "MUSE": lambda folder: muse(folder / "a.xml"),
    "DICOM": lambda folder: dicom(folder / "a.dcm"),
    "DICOM without a suffix": lambda folder: dicom(folder / "IM000001"),
    "DICOM in mV": lambda folder: dicom(folder / "a.dcm", sensitivity="0.005", unit="mV"),
}


def encoding_of(unit: str) -> str:
    return "latin-1" if unit == "µV" else "utf-8"


@pytest.mark.parametrize("write", AS_PLAIN.values(), ids=AS_PLAIN)
def test_each_form_is_read_as_the_plain_record(write: Writer, tmp_path: Path) -> None:
    same(read(write(tmp_path)))


@pytest.mark.parametrize("fmt", ["80", "8", "310", "311", "61"])
def test_coarse_and_rare_formats_are_what_wfdb_reads(fmt: str, tmp_path: Path) -> None:
    if fmt == "80":
        header = wfdb(tmp_path, fields="80 50(0)/mV 8 0 0 0 0")
        (tmp_path / "r.dat").write_bytes(
            (((base().astype(int) - BASELINE) // 4).clip(-127, 127) + 128).astype("u1").tobytes()
        )
    else:
        header = big_endian(tmp_path) if fmt == "61" else packed(fmt)(tmp_path)
    found = read(header)
    expected = wfdb_package.rdrecord(str(header.with_suffix("")), physical=False).d_signal
    np.testing.assert_array_equal(found.part(0, found.length), expected)


@pytest.mark.parametrize("layout", [False, True])
@pytest.mark.parametrize("gain", ["200", "100"])
def test_segments_are_joined_and_a_pause_is_missing(tmp_path: Path, *, layout: bool, gain: str) -> None:
    found = read(segments(tmp_path, layout=layout, gain=gain))
    samples = signal(found)
    expected = millivolts()
    expected[GAP] = np.nan
    np.testing.assert_allclose(samples, expected, atol=0.011)
    np.testing.assert_array_equal(np.isnan(samples[:, 0]).nonzero()[0], np.arange(COUNT)[GAP])
    whole = found.part(0, found.length)
    np.testing.assert_array_equal(np.concatenate(list(found.pieces(777))), whole)


def test_a_segment_that_is_not_there_is_missing_and_said_to_be(tmp_path: Path) -> None:
    master = segments(tmp_path, layout=False)
    (tmp_path / "s1.dat").unlink()
    found = read(master)
    assert np.isnan(signal(found)[:4320]).all()
    assert found.remarks[0].startswith("segment s1 is left out: s1.hea names s1.dat, which is not in")


ECG = [("ECG II", "mV", 360.0, millivolts()[:, 0]), ("ECG V1", "mV", 360.0, millivolts()[:, 1])]
RATE_BYTES = 256 + 216 * 2


def unit_bytes(unit: bytes) -> Callable[[Path], Path]:
    values = [(label, "x", rate, wave * 1000) for label, _, rate, wave in ECG]
    edits = [(256 + 96 * 2 + 8 * number, unit.ljust(8)) for number in (0, 1)]
    return lambda folder: edf(folder / "a.edf", values, limits=(-10_000, 10_000), edits=edits)


EDF_AS_PLAIN: dict[str, Writer] = {
    "EDF": lambda folder: edf(folder / "a.edf", ECG),
    "EDF named .rec": lambda folder: edf(folder / "a.REC", ECG),
    "EDF without a suffix": lambda folder: edf(folder / "holter", ECG),
    "BDF": lambda folder: edf(folder / "a.bdf", ECG, bdf=True),
    "BDF named .edf": lambda folder: edf(folder / "a.edf", ECG, bdf=True),
    "decimal commas": lambda folder: edf(folder / "a.edf", ECG, edits=[(244, b"1,0     "), (256 + 208, b"-10,0   ")]),
    "records not counted": lambda folder: edf(folder / "a.edf", ECG, edits=[(236, b"-1      ")]),
    "other date": lambda folder: edf(folder / "a.edf", ECG, edits=[(168, b"01/02/25")]),
    "EEG beside it": lambda folder: edf(folder / "a.edf", [("EEG C3-A2", "mV", 360.0, millivolts()[:, 0] / 9), *ECG]),
    "long data records": lambda folder: edf(folder / "a.edf", ECG, record_s=20.0),
    **{
        f"unit {unit!r}": unit_bytes(unit)
        for unit in (b"uV", b"\xb5V", "µV".encode(), b"\xe6V", b"\x83\xcaV", "Âµv".encode(), b"?V", b"microV", b"UV\0")
    },
}


@pytest.mark.parametrize("write", EDF_AS_PLAIN.values(), ids=EDF_AS_PLAIN)
def test_each_kind_of_edf_is_read_as_the_plain_record(write: Writer, tmp_path: Path) -> None:
    found = read(write(tmp_path))
    assert found.leads == ("ECG II", "ECG V1")
    same(found)


@pytest.mark.parametrize("bdf", [False, True])
def test_an_interrupted_edf_has_its_gaps_as_gaps(tmp_path: Path, *, bdf: bool) -> None:
    onsets = [float(n) if n < 10 else n + 2.5 for n in range(20)]
    path = edf(tmp_path / "a.edf", ECG, kind="BDF+D" if bdf else "EDF+D", onsets=onsets, bdf=bdf)
    found = read(path)
    samples = signal(found)
    np.testing.assert_allclose(samples[:3600], millivolts()[:3600], atol=STEP_MV)
    assert np.isnan(samples[3600:4500]).all()
    np.testing.assert_allclose(samples[4500:], millivolts()[3600:], atol=STEP_MV)
    assert found.remarks == ("a.edf was interrupted 1 times: nothing is known of these pauses",)
    np.testing.assert_array_equal(np.concatenate(list(found.pieces(501))), found.part(0, found.length))


def test_an_edf_that_was_cut_off_is_read_as_far_as_it_is_whole(tmp_path: Path) -> None:
    path = edf(tmp_path / "a.edf", ECG)
    path.write_bytes(path.read_bytes()[:-1000])
    found = read(path)
    assert found.seconds == 19
    same(found)
    assert "claims 20 data records, it holds 19 whole ones, and a part of one that is left out" in found.remarks[0]


def test_a_channel_that_was_off_is_left_out_with_a_word(tmp_path: Path) -> None:
    path = edf(tmp_path / "a.edf", ECG, edits=[(256 + 104 * 2 + 8, b"0       "), (256 + 112 * 2 + 8, b"0       ")])
    found = read(path)
    assert found.leads == ("ECG II",)
    same(found, (0,))
    assert found.remarks == ("ECG V1 was off (its range is 0 to 0 mV in -32768 to 32767 steps): left out",)
    with pytest.raises(EcgStreamError, match=r"lead ECG V1 was off .*: name another \(leads\)"):
        read(path, leads=("ECG V1",))


def test_of_several_rates_each_can_be_chosen_and_the_best_lead_is(tmp_path: Path) -> None:
    slow = millivolts()[::2, 1]
    path = edf(tmp_path / "a.edf", [("ECG V1", "mV", 180.0, slow), ECG[0]])
    found = read(path)
    assert (found.leads, found.fs_hz) == (("ECG II",), 360.0)
    assert found.remarks == ("ECG V1 is sampled at 180 Hz, ECG II at 360 Hz: left out; name it to read it (leads)",)
    other = read(path, leads=("V1",))
    assert (other.leads, other.fs_hz, other.remarks) == (("ECG V1",), 180.0, ())
    with pytest.raises(EcgStreamError, match=r"differ in rate, ECG V1 \(180 Hz\), ECG II \(360 Hz\): name"):
        read(path, leads=("V1", "II"))


@pytest.mark.parametrize(("rate", "judged"), [(2000, 1000.0), (2048, 512.0), (5000, 1000.0)])
def test_fast_recordings_are_judged_at_a_slower_rate(rate: int, judged: float, tmp_path: Path) -> None:
    at = np.arange(rate * 10) / rate
    wave = np.sin(2 * np.pi * 10 * at)
    found = read(edf(tmp_path / "a.edf", [("ECG", "mV", float(rate), wave)]))
    assert (found.fs_hz, found.length) == (judged, round(judged * 10))
    expected = np.sin(2 * np.pi * 10 * np.arange(found.length) / judged)
    np.testing.assert_allclose(signal(found)[50:-50, 0], expected[50:-50], atol=0.002)
    np.testing.assert_array_equal(np.concatenate(list(found.pieces(333))), found.part(0, found.length))
    assert found.remarks == (f"sampled at {rate} Hz, judged at {judged:g} Hz",)
    np.save(tmp_path / "a.npy", wave)
    assert read(tmp_path / "a.npy", fs_hz=rate).fs_hz == judged


def test_what_was_not_taken_stays_missing_at_a_slower_rate(tmp_path: Path) -> None:
    wave = np.sin(np.arange(20_000) / 30)
    wave[8000:12_000] = np.nan
    np.save(tmp_path / "a.npy", wave)
    missing = read(tmp_path / "a.npy", fs_hz=2000).part(0, 10_000)[:, 0] == MISSING
    np.testing.assert_array_equal(missing.nonzero()[0], np.arange(4000, 6000))


def test_missing_samples_of_dicom_are_missing(tmp_path: Path) -> None:
    same(read(dicom(tmp_path / "a.dcm", padding=True)), missing=slice(1000, 1400))


def test_two_leads_of_one_name_are_both_read_and_can_be_told_apart(tmp_path: Path) -> None:
    header = wfdb(tmp_path, names=("ECG", "ECG"))
    for given in (None, ("ECG",)):
        found = read(header, leads=given)
        assert found.leads == ("ECG", "ECG (2)")
        same(found)
    same(read(header, leads=("ECG (2)",)), (1,))


def test_matlab_without_a_header_takes_what_the_caller_says(tmp_path: Path) -> None:
    microvolts = (base().astype(int) - BASELINE) * 5
    scipy.io.savemat(tmp_path / "val.mat", {"val": microvolts.T.astype(np.int16)})
    scipy.io.savemat(tmp_path / "struct.mat", {"ECG": {"sex": "F", "age": 60, "data": microvolts.T / 1000}})
    same(read(tmp_path / "val.mat", fs_hz=360, unit="uV", leads=LEADS))
    same(read(tmp_path / "struct.mat", fs_hz=360))
    assert read(tmp_path / "val.mat", fs_hz=360, unit="uV", leads=LEADS).leads == LEADS


def test_what_the_caller_says_comes_first_and_is_said(tmp_path: Path) -> None:
    header = wfdb(tmp_path, fields="16 0.2(1024)/mV 16 0 0 0 0")  # the gain is per uV
    found = read(header, unit="uV", fs_hz=360)
    same(found)
    assert found.remarks == ("read in uV, as asked; the file says mV",)
    faster = read(header, unit="uV", fs_hz=500)
    assert faster.fs_hz == 500
    assert faster.remarks[0] == "read at 500 Hz, as asked; the file says 360 Hz"
    same(read(wfdb(tmp_path / "b", line="r 2"), fs_hz=360))
    path = edf(tmp_path / "a.edf", [(label, "", rate, wave) for label, _, rate, wave in ECG])
    same(read(path, unit="mV"))


def miscounted(folder: Path) -> Path:
    master = segments(folder, layout=False)
    master.write_text(master.read_text().replace("m/3 ", "m/5 "))
    return master


def matlab(folder: Path) -> Path:
    scipy.io.savemat(folder / "a.mat", {"val": ((base().astype(int) - BASELINE) * 5).T})
    return folder / "a.mat"


# What is wrong, what is said of it, and what whoever follows it does; then the file is read.
Mend = Callable[[Path], tuple[Path, dict[str, object]]]
REMEDIES: dict[str, tuple[Writer, str, Mend]] = {
    "a header with .txt behind it": (
        lambda folder: wfdb(folder, header="r.hea.txt"),
        r"r.hea.txt holds .*: rename it to r\.hea, beside its signal files",
        lambda path: (path.rename(path.with_name("r.hea")), {}),
    ),
    "gain per V under mV": (
        lambda folder: wfdb(folder, fields="16 200000(1024)/mV 16"),
        r"its ECG spans 0\.00\d+ mV, .* its unit is wrong: give V as its unit",
        lambda path: (path, {"unit": "V"}),
    ),
    "gain per uV under mV": (
        lambda folder: wfdb(folder, fields="16 0.2(1024)/mV 16"),
        r"its ECG spans \d+ mV, .* its unit is wrong: give uV as its unit",
        lambda path: (path, {"unit": "uV"}),
    ),
    "gain per mV under uV": (
        lambda folder: wfdb(folder, fields="16 200(1024)/uV 16"),
        r"its unit is wrong: give mV as its unit",
        lambda path: (path, {"unit": "mV"}),
    ),
    "an unknown unit": (
        lambda folder: wfdb(folder, fields="16 200(1024)/adu 16"),
        r"lead MLII is in 'adu', which is no voltage: if it is an ECG, give its unit \(mV, uV, V or adc\)",
        lambda path: (path, {"unit": "mV"}),
    ),
    "no unit": (
        lambda folder: edf(folder / "a.edf", [(label, "", rate, wave) for label, _, rate, wave in ECG]),
        r"lead ECG II is without a unit: if it is an ECG, give its unit",
        lambda path: (path, {"unit": "mV"}),
    ),
    "nothing called an ECG": (
        lambda folder: edf(folder / "a.edf", [("EEG C3-A2", "mV", 360.0, ECG[0][3]), ("X1", "mV", 360.0, ECG[1][3])]),
        r"no signal with samples is called an ECG, it has EEG C3-A2 \(360 Hz, mV\), X1 .*: name it \(leads\)",
        lambda path: (path, {"leads": ("EEG C3-A2", "X1")}),
    ),
    "the samples have another name": (
        lambda folder: wfdb(folder, named="other.dat"),
        r"r\.hea names other\.dat, which is not in .*: put it beside the header",
        lambda path: ((path.with_name("r.dat").rename(path.with_name("other.dat")), path)[1], {}),
    ),
    "a length that is not there": (
        lambda folder: wfdb(folder, line="r 2 360 9000"),
        r"claims 9000 samples, r\.dat holds 7200: restore the file, or write 7200 in place of 9000 in the header",
        lambda path: ((path.write_text(path.read_text().replace(" 9000\n", " 7200\n")), path)[1], {}),
    ),
    "a wrong number of signals": (
        lambda folder: wfdb(folder, line="r 3 360 7200"),
        r"claims 3 signals and describes 2, .*: correct the number in its first line",
        lambda path: ((path.write_text(path.read_text().replace("r 3 ", "r 2 ")), path)[1], {}),
    ),
    "a line that is none": (
        lambda folder: wfdb(folder, line="r two 360 7200"),
        r"\(its record line reads 'r two 360 7200'\): its first line is to read 'name signals rate samples'",
        lambda path: ((path.write_text(path.read_text().replace("r two ", "r 2 ")), path)[1], {}),
    ),
    "a wrong number of segments": (
        miscounted,
        r"claims 5 segments and describes 3: correct the number behind the '/'",
        lambda path: ((path.write_text(path.read_text().replace("m/5 ", "m/3 ")), path)[1], {}),
    ),
    "MATLAB without a rate": (
        matlab,
        r"a\.mat does not hold its sampling rate: give it in Hz, or its \.hea beside it",
        lambda path: (path, {"fs_hz": 360, "unit": "uV"}),
    ),
    "MATLAB in a unit that nobody says": (
        matlab,
        r"above 50 mV, so they are not in mV: give their unit .*challenges of 2017, 2020 and 2021 are in uV",
        lambda path: (path, {"fs_hz": 360, "unit": "uV"}),
    ),
    "an ECG of nothing but annotations": (
        lambda folder: edf(folder / "a.edf", []),
        r"a\.edf holds annotations alone, no signal: give the file of its recording",
        lambda path: (edf(path.with_name("b.edf"), ECG), {}),
    ),
    "data records without a duration": (
        lambda folder: edf(folder / "a.edf", ECG, edits=[(244, b"0       ")]),
        r"its data records last 0 s: give the (sampling )?rate in Hz",
        lambda path: (path, {"fs_hz": 360}),
    ),
    "a lead that is not there": (
        wfdb,
        r"r\.hea has no lead 'V9': name one of MLII, V1",
        lambda path: (path, {"leads": ("MLII", "V1")}),
    ),
    "a unit that nobody knows": (
        wfdb,
        r"unit='parsec' is not known: give mV, uV, V or adc",
        lambda path: (path, {"unit": "mV"}),
    ),
}
GIVEN: dict[str, dict[str, object]] = {
    "MATLAB in a unit that nobody says": {"fs_hz": 360},
    "a lead that is not there": {"leads": ("V9",)},
    "a unit that nobody knows": {"unit": "parsec"},
}


@pytest.mark.parametrize(("write", "said", "mend"), REMEDIES.values(), ids=REMEDIES)
def test_whoever_follows_an_error_reads_the_file(
    write: Writer, said: str, mend: Mend, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = write(tmp_path)
    with pytest.raises(EcgStreamError) as raised:
        read(path, **GIVEN.get(request.node.callspec.id, {}))
    assert re.search(said, str(raised.value)), raised.value
    mended, given = mend(path)
    found = signal(read(mended, **given))
    expected = millivolts()
    known = ~np.isnan(found)
    assert known.mean() > 0.8
    np.testing.assert_allclose(found[known], expected[: len(found)][known], atol=STEP_MV * 0.6)


def test_one_bad_signal_of_a_record_sinks_no_other(tmp_path: Path) -> None:
    header = wfdb(tmp_path, names=LEADS)
    lines = header.read_text().splitlines()
    header.write_text(
        "\n".join([lines[0].replace("r 2", "r 3"), *lines[1:], "pulse.dat 16 1/NU 8 0 0 0 0 PLETH"]) + "\n"
    )
    found = read(header)
    same(found)
    assert found.remarks[0].startswith("PLETH cannot be read (r.hea names pulse.dat, which is not in")


def test_files_of_one_record_are_one_and_segments_are_none(tmp_path: Path) -> None:
    segments(tmp_path, layout=True)
    wfdb(tmp_path)
    mat_with_header(tmp_path)
    readable, refused = recordings_at(sorted(tmp_path.iterdir()), tmp_path)
    assert sorted(file.path.name for file in readable) == ["E1.hea", "m.hea", "r.hea"]
    assert refused == []


# Of ../shared/cases: what is judged, and what is said.
CASE_LEADS = {"W22": ("aVR", "V1", "ECG_LEAD_II"), "E05": ("ECG II",), "E11": ("EKG",), "E19": ("Herz",)}
CASE_LEADS |= {"E23": ("ECG II",), "E07": ("ECG II", "ECG V1"), "E17": ("ECG",), "W33": ("ECG", "ECG (2)")}
CASE_ERRORS = {"E21": "no signal", "W34": r"rename it to r\.hea"}
LACKING = {"W11", "W23"}  # their second file is not in the archive


@pytest.mark.skipif(not CASES.is_dir(), reason="the inputs of others lie beside the checkout where there are any")
def test_cases_of_others(tmp_path: Path) -> None:
    import json
    import tarfile

    with tarfile.open(CASES / "cases.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    for case in json.loads((CASES / "cases.json").read_text()):
        if case["id"][0] not in "WE" or case["id"] in LACKING:
            continue
        path = tmp_path / "cases" / case["files"][0]
        given = {"leads": ("ECG",)} if case["args"] else {}
        if case["id"] in CASE_ERRORS:
            with pytest.raises(EcgStreamError, match=CASE_ERRORS[case["id"]]):
                read(path, **given)
            continue
        found = read(path, **given)
        assert found.leads == CASE_LEADS.get(case["id"], ("MLII", "V1")), case["id"]
        assert found.seconds >= 8, case["id"]
