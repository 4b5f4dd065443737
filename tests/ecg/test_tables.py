"""Tables as devices and programs write them: each holds the same twenty seconds, and each is read as the same ECG."""

import json
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ecg.errors import EcgStreamError
from ecg.files import read_file
from ecg.leads import choose_leads
from ecg.records import to_millivolts
from tests.support.recordings import recording

Floats = npt.NDArray[np.float64]
SECONDS = 20


@dataclass(frozen=True)
class Ecg:
    """Twenty seconds of record 119 at a rate."""

    fs_hz: float
    ii: Floats
    v1: Floats

    @property
    def t(self) -> Floats:
        return np.arange(len(self.ii)) / self.fs_hz


def ecg_at(fs_hz: float) -> Ecg:
    record = recording("119-excerpt")
    held = to_millivolts(record.samples[: SECONDS * 360], record.gain, record.baseline).astype(np.float64)
    t = np.arange(round(SECONDS * fs_hz)) / fs_hz
    ii, v1 = (np.interp(t, np.arange(len(held)) / 360, held[:, lead]) for lead in (0, 1))
    return Ecg(fs_hz=fs_hz, ii=ii, v1=v1)


ECG = {fs_hz: ecg_at(fs_hz) for fs_hz in (122.0, 125.0, 130.0, 200.0, 250.0, 256.0, 300.0, 360.0, 500.0, 512.0, 1000.0)}
E = ECG[360.0]


@dataclass(frozen=True)
class Case:
    """A text, how it is asked for, and what is to be read of it."""

    content: str | bytes
    fs_hz: float = 360.0
    options: dict[str, Any] = field(default_factory=dict)
    lead: str | None = None
    atol: float = 0.004  # mV; what rounding leaves
    missing: tuple[slice, ...] = ()
    near: float = 0.0  # by which the rate may differ
    scale: float = 1.0


def rows(*columns: object, sep: str = ",", head: str = "", end: str = "\n") -> str:
    cells = [[f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in column] for column in columns]  # type: ignore[attr-defined]  # any sequence
    lines = [sep.join(row) for row in zip(*cells, strict=True)]
    return end.join([*([head] if head else []), *lines]) + end


def form(values: Iterable[float], spec: str) -> list[str]:
    return [format(value, spec) for value in values]


def comma(cells: list[str]) -> list[str]:
    return [cell.replace(".", ",") for cell in cells]


def stamps(fs_hz: float, spec: Callable[[datetime], str], start: str = "2025-01-31T21:05:00") -> list[str]:
    first = datetime.fromisoformat(start)
    return [spec(first + timedelta(seconds=float(t))) for t in ECG[fs_hz].t]


def millis(moment: datetime, pattern: str, mark: str = ".") -> str:
    return f"{moment.strftime(pattern)}{mark}{moment.microsecond // 1000:03d}"


def with_gap(cells: list[str], cell: str) -> list[str]:
    return [cell if 2520 <= place < 4680 else held for place, held in enumerate(cells)]


GAP = (slice(2520, 4680),)
II, V1 = form(E.ii, ".3f"), form(E.v1, ".3f")
T = form(E.t, ".5f")
N = [str(number) for number in range(len(E.ii))]
RNG = np.random.default_rng(7)
APPLE = """Name,
{birth},"1 Jan 1970"
{date},2025-03-01 10:11:12 +0100
{classed},{class_}
Symptoms,
{version},2.0
{device},"Watch6,2"
{rate},512 {hertz}


{lead},{lead_i}
{unit},µV

"""
ENGLISH = APPLE.format(
    birth="Date of Birth",
    date="Recorded Date",
    classed="Classification",
    class_="Sinus Rhythm",
    version="Software Version",
    device="Device",
    rate="Sample Rate",
    hertz="hertz",
    lead="Lead",
    lead_i="Lead I",
    unit="Unit",
)
GERMAN = APPLE.format(
    birth="Geburtsdatum",
    date="Aufzeichnungsdatum",
    classed="Klassifizierung",
    class_="Sinusrhythmus",
    version="Softwareversion",
    device="Gerät",
    rate="Messrate",
    hertz="Hertz",
    lead="Ableitung",
    lead_i="Ableitung I",
    unit="Einheit",
)
UV512 = form(ECG[512.0].ii * 1000, ".3f")
OPEN_BCI = """%OpenBCI Raw EXG Data
%Number of channels = 2
%Sample Rate = 250 Hz
%Board = OpenBCI_GUI$BoardGanglion
"""


def openbci(above: str) -> str:
    held = ECG[250.0]
    n = np.arange(len(held.ii))
    stamp = 1_740_820_000 + n // 10 * 0.04 + n % 10 * 1e-4
    return above + rows(
        form(n % 256, ".1f"),
        form(held.ii * 1000, ".4f"),
        form(held.v1 * 1000, ".4f"),
        ["0.016"] * len(n),
        form(stamp, ".6f"),
        [datetime.fromtimestamp(s, UTC).isoformat(" ", "milliseconds")[:-6] for s in stamp],
        sep=", ",
        head="Sample Index, EXG Channel 0, EXG Channel 1, Accel Channel 0, Timestamp, Timestamp (Formatted)",
    )


def polar_packets() -> str:
    n = np.arange(2600)
    return rows(1_740_820_000_561 + n // 73 * 561, form(ECG[130.0].ii * 1000, ".0f"), head="timestamp,ecg_uV")


def opensignals(device: str, bits: int, per_mv: float) -> str:
    about = {
        "20:17:11:20:51:54": {
            "sensor": ["RAW", "ECG"],
            "device name": "x",
            "column": ["nSeq", "I1", "O1", "A1", "A2"],
            "sync interval": 2,
            "time": "10:11:12.345",
            "device": device,
            "sampling rate": 1000,
            "resolution": [4, 1, 1, bits, bits],
            "label": ["A1", "A2"],
            "channels": [1, 2],
            "date": "2025-3-1",
            "mode": 0,
        }
    }
    counts = np.round(2 ** (bits - 1) + ECG[1000.0].ii * per_mv).astype(int)
    other = RNG.integers(500, 520, len(counts))
    n = np.arange(len(counts))
    return f"# OpenSignals Text File Format\n# {json.dumps(about)}\n# EndOfHeader\n" + rows(
        n % 16, [0] * len(n), [1] * len(n), other, counts, [""] * len(n), sep="\t"
    )


def ramp(turn: int, per: int = 1) -> list[str]:
    return [str(number // per % turn) for number in range(len(E.ii))]


RESP = form(0.3 * np.sin(2 * np.pi * 0.25 * E.t) + 0.01 * RNG.normal(size=len(E.t)), ".3f")
NOISE = form(0.5 * RNG.normal(size=len(E.t)), ".3f")
LOST = [place for place in range(len(E.ii)) if not 2520 <= place < 4680]

CASES: dict[str, Case] = {
    # devices
    "apple watch": Case(ENGLISH + "\n".join(UV512), 512.0, lead="Lead I"),
    "apple watch, german": Case(GERMAN + "\n".join(comma(UV512)), 512.0, lead="Ableitung I"),
    "apple watch, german, quoted": Case(GERMAN + "\n".join(f'"{cell}"' for cell in comma(UV512)), 512.0),
    "apple watch, its numbers alone": Case("\n".join(comma(UV512)), 512.0, options={"fs_hz": 512, "unit": "uV"}),
    "apple watch, utf-16": Case((ENGLISH + "\r\n".join(UV512)).encode("utf-16"), 512.0),
    "apple watch, latin-1": Case((ENGLISH + "\n".join(UV512)).encode("latin-1"), 512.0),
    "kardia": Case(
        "Recorded at: 2025-03-01\nSampling frequency: 300 Hz\nUnits: mV\n\nLead I\n"
        + "\n".join(form(ECG[300.0].ii, ".3f")),
        300.0,
        lead="Lead I",
    ),
    "polar sensor logger": Case(
        rows(
            stamps(130.0, lambda m: m.isoformat(timespec="milliseconds")),
            [794_000_000_000_000_000 + round(t * 1e9) for t in ECG[130.0].t],
            form(ECG[130.0].t * 1000, ".6f"),
            form(ECG[130.0].ii * 1000, ".0f"),
            sep=";",
            head="Phone timestamp;sensor timestamp [ns];timestamp [ms];ecg [uV]",
        ),
        130.0,
        lead="ecg",
    ),
    "polar, its column and rate": Case(
        rows(
            stamps(130.0, lambda m: m.isoformat(timespec="milliseconds")),
            ["1"] * 2600,
            form(ECG[130.0].ii * 1000, ".0f"),
            sep=";",
            head="Phone timestamp;sensor;ecg [uV]",
        ),
        130.0,
        options={"leads": ("ecg",), "fs_hz": 130},
    ),
    "polar packets, rate given": Case(polar_packets(), 130.0, options={"fs_hz": 130, "unit": "uV"}),
    "polar packets": Case(polar_packets(), 130.0, lead="ecg"),
    "withings": Case(
        "Device,Withings ScanWatch\nSampling Frequency (Hz),300\nUnit,uV\n"
        + rows(form(ECG[300.0].ii * 1000, ".0f"), head="signal"),
        300.0,
    ),
    "movesense": Case(
        rows([round(t * 1000) for t in ECG[125.0].t], form(ECG[125.0].ii, ".4f"), head="Timestamp (ms),ECG (mV)"), 125.0
    ),
    "openbci": Case(openbci(OPEN_BCI), 250.0),
    "openbci without its head": Case(
        openbci(""), 250.0, options={"fs_hz": 250, "unit": "uV", "leads": ("EXG Channel 0", "EXG Channel 1")}
    ),
    "bitalino": Case(opensignals("bitalino_rev", 10, 2**10 * 1.1 / 3.3), 1000.0, lead="ECG"),
    "biosignalsplux": Case(opensignals("biosignalsplux", 16, 2**16 * 1.019 / 3.0), 1000.0, lead="ECG"),
    "shimmer": Case(
        "sep=\t\n"
        + rows(
            form(1_740_820_000_000 + ECG[512.0].t * 1000, ".3f"),
            form(RNG.normal(size=10240), ".3f"),
            UV512,
            form(ECG[512.0].ii, ".6f"),
            sep="\t",
            head="Shimmer_6789_Timestamp_Unix_CAL\tShimmer_6789_Accel_LN_X_CAL\tShimmer_6789_ECG_LL-RA_24BIT_RAW\t"
            "Shimmer_6789_ECG_LL-RA_24BIT_CAL\nms\tm/(s^2)\tno_units\tmV",
        ),
        512.0,
        options={"leads": ("Shimmer_6789_ECG_LL-RA_24BIT_CAL",)},
    ),
    "rdsamp -v": Case(
        rows(
            [f"{n:>6}" for n in N],
            [f"  {v:.0f}" for v in E.ii * 200 + 1024],
            [f"  {v:.0f}" for v in E.v1 * 200 + 1024],
            sep="\t",
            head="samp #\tECG1\tECG2",
        ),
        options={"fs_hz": 360},
        lead="ECG1",
    ),
    "rdsamp -v -p": Case(
        rows(
            [f"{t:>13}" for t in form(E.t, ".3f")],
            II,
            with_gap(V1, "-"),
            sep="\t",
            head="   Elapsed time\t   MLII\t   V1\n    (seconds)\t   (mV)\t   (mV)",
        ),
        lead="MLII",
    ),
    "rdsamp -v -pd": Case(
        rows(
            [f"[{t}]" for t in stamps(360.0, lambda m: millis(m, "%H:%M:%S") + " 01/03/2025")],
            II,
            sep="\t",
            head="Time\tMLII",
        )
    ),
    "kaggle": Case(
        rows(N, form(E.ii * 200 + 1024, ".0f"), form(E.v1 * 200 + 1024, ".0f"), head="'sample #','MLII','V1'"),
        options={"fs_hz": 360},
        lead="MLII",
    ),
    "excel's sep": Case("sep=;\n" + rows(T, II, V1, sep=";", head="time;MLII;V1")),
    "key, value lines": Case("patient,12345\nfs,360\nunit,mV\nnotes,none\n" + rows(II, V1, head="MLII,V1")),
    "equals signs": Case("; made by x\n; sampling_rate = 360\n" + rows(II, V1, head="MLII,V1", sep=";")),
    # time by name and by content
    **{
        f"time called {name}": Case(rows(form(E.t * per, ".6f"), II, head=f"{name},ecg"))
        for name, per in {
            "time_ms": 1e3,
            "timestamp_ms": 1e3,
            "time_s": 1,
            "Time_sec": 1,
            "ts": 1,
            "Zeit": 1,
            "Tiempo (s)": 1,
            "temps": 1,
            "czas": 1,
            "время": 1,
            "时间": 1,
            "": 1,
            "foo": 1,
            "elapsed [us]": 1e6,
            "x": 1e3,
            "zeit_us": 1e6,
        }.items()
    },
    **{
        f"time called {name}, rate given": Case(
            rows(form(E.t * per, ".6f"), II, head=f"{name},ecg"), options={"fs_hz": 360}
        )
        for name, per in {"time_ms": 1e3, "time_s": 1, "": 1, "Zeit": 1, "foo": 1e3}.items()
    },
    **{
        f"counter called {name}": Case(rows(N, II, head=f"{name},ecg"), options={"fs_hz": 360, **more})
        for more in ({}, {"unit": "mV"})
        for name in ("sample_no", "idx", "Frame", "n", "Packet Counter", "Unnamed: 0", "", "Abtastwert", "foo")
    },
    **{
        f"counter of {turn}": Case(rows(ramp(turn), II, head="counter,ecg"), options={"fs_hz": 360})
        for turn in (16, 256, 1000, 65_536)
    },
    "counter of packets": Case(rows(ramp(256, 20), II, head="packet,ecg"), options={"fs_hz": 360}),
    "counter without a head": Case(rows(N, II, V1), options={"fs_hz": 360}),
    "unix seconds": Case(rows(form(1_740_820_000 + E.t, ".6f"), II, head="unix_time,ecg")),
    "unix milliseconds": Case(rows(form(1_740_820_000_000 + E.t * 1e3, ".0f"), II, head="t,ecg")),
    "unix microseconds": Case(rows(form(np.round(1_740_820_000_000_000 + E.t * 1e6), ".0f"), II, head="t,ecg")),
    "unix nanoseconds": Case(rows([1_740_820_000_000_000_000 + round(t * 1e9) for t in E.t], II, head="t,ecg")),
    "excel days": Case(rows(form(45_688.878_472_222 + E.t / 86_400, ".10f"), II, head="Time,ecg")),
    "iso with z": Case(rows(stamps(360.0, lambda m: m.isoformat() + "Z"), II, head="time,ecg")),
    "iso with an offset": Case(rows(stamps(360.0, lambda m: m.isoformat() + "+01:00"), II, head="time,ecg")),
    "iso with nanoseconds": Case(
        rows(stamps(360.0, lambda m: m.isoformat(timespec="microseconds") + "123"), II, head="time,ecg")
    ),
    "american dates": Case(
        rows(stamps(360.0, lambda m: millis(m, "%m/%d/%Y %I:%M:%S") + " PM"), II, V1, head="Timestamp,MLII,V1")
    ),
    "german dates": Case(
        rows(
            stamps(360.0, lambda m: millis(m, "%d.%m.%Y %H:%M:%S", ",")),
            comma(II),
            comma(V1),
            sep=";",
            head="Zeit;MLII;V1",
        )
    ),
    "british dates": Case(rows(stamps(360.0, lambda m: millis(m, "%d/%m/%Y %H:%M:%S")), II, head="when,ecg")),
    "months in words": Case(rows(stamps(360.0, lambda m: millis(m, "%d-%b-%Y %H:%M:%S")), II, head="Time,ecg")),
    "date and clock apart": Case(
        rows(["2025-01-31"] * 7200, stamps(360.0, lambda m: millis(m, "%H:%M:%S")), II, head="Date,Time,ECG")
    ),
    "over midnight": Case(
        rows(stamps(360.0, lambda m: millis(m, "%H:%M:%S"), "2025-01-31T23:59:50"), II, head="time,ecg")
    ),
    "over noon": Case(rows(stamps(360.0, lambda m: millis(m, "%I:%M:%S"), "2025-01-31T12:59:50"), II, head="time,ecg")),
    "over the hour": Case(
        rows(stamps(360.0, lambda m: millis(m, "%M:%S"), "2025-01-31T12:59:50"), II, head="time,ecg")
    ),
    "into summer time": Case(
        rows(
            stamps(
                360.0, lambda m: millis(m + timedelta(hours=m.minute == 0), "%Y-%m-%dT%H:%M:%S"), "2025-03-30T01:59:45"
            ),
            II,
            head="time,ecg",
        )
    ),
    "out of summer time": Case(
        rows(
            stamps(
                360.0, lambda m: millis(m - timedelta(hours=m.minute == 0), "%Y-%m-%d %H:%M:%S"), "2025-10-26T02:59:45"
            ),
            II,
            head="time,ecg",
        )
    ),
    "whole seconds, rate given": Case(
        rows(stamps(360.0, lambda m: m.isoformat(timespec="seconds")), II, V1, head="time,MLII,V1"),
        options={"fs_hz": 360},
    ),
    "whole seconds": Case(rows(stamps(360.0, lambda m: m.isoformat(timespec="seconds")), II, V1, head="time,MLII,V1")),
    "jitter": Case(
        rows(
            form(np.cumsum(np.clip(RNG.normal(1 / 122, 0.0024, 2440), 5e-4, None)), ".4f"),
            form(ECG[122.0].ii, ".3f"),
            head="time,ECG",
        ),
        122.0,
        near=0.01,
    ),
    "jitter about even times": Case(
        rows(
            form(np.sort(ECG[125.0].t + RNG.normal(0, 0.002, 2500)), ".5f"), form(ECG[125.0].ii, ".3f"), head="time,ECG"
        ),
        125.0,
    ),
    # cells
    **{
        f"missing as {cell!r}": Case(rows(with_gap(II, cell), head="ECG"), options={"fs_hz": 360}, missing=GAP)
        for cell in ("#N/A", "nan", "NaN", "-", "null", "n/a", "#NV", "NA", "inf", "", "#DIV/0!", "<NA>", "missing")
    },
    "missing beside times": Case(rows(T, with_gap(II, ""), head="time,ECG"), missing=GAP),
    "rows missing by time": Case(rows(*([cells[n] for n in LOST] for cells in (T, II)), head="time,ECG"), missing=GAP),
    "rows missing by counter": Case(
        rows(*([cells[n] for n in LOST] for cells in (N, II)), head="sample,ECG"),
        options={"fs_hz": 360, "unit": "mV"},
        missing=GAP,
    ),
    "rows missing by whole seconds": Case(
        rows(
            *([cells[n] for n in LOST] for cells in (stamps(360.0, lambda m: m.isoformat(timespec="seconds")), II)),
            head="time,ECG",
        ),
        options={"fs_hz": 360},
        missing=GAP,
    ),
    "a blank line between all rows": Case(rows(II, head="ECG", end="\n\n"), options={"fs_hz": 360}),
    "windows line ends twice": Case(rows(T, II, head="time,ECG", end="\r\r\n").encode()),
    "volts": Case(rows(T, form(E.ii / 1000, ".6f"), head="time,ECG")),
    "volts in the head": Case(rows(T, form(E.ii / 1000, ".6f"), head="time,ECG [V]")),
    **{
        f"µV in {encoding}": Case(rows(T, form(E.ii * 1000, ".0f"), head="time,ECG (µV)").encode(encoding))
        for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "cp850", "utf-32")
    },
    "µV read as latin-1 before": Case(rows(T, form(E.ii * 1000, ".0f"), head="time,ECG (ÂµV)")),
    "µV lost": Case(rows(T, form(E.ii * 1000, ".0f"), head="time,ECG (?V)")),
    "microvolts in words": Case(rows(T, form(E.ii * 1000, ".0f"), head="time,ECG (microvolts)")),
    "decimal commas in quotes": Case(
        rows(*([f'"{cell}"' for cell in comma(cells)] for cells in (T, II, V1)), head="time,MLII,V1")
    ),
    "decimal commas without quotes": Case(rows(comma(T), comma(II), comma(V1), head="time,MLII,V1")),
    "decimal commas, tabs": Case(rows(comma(T), comma(II), sep="\t", head="time\tMLII")),
    "decimal commas, spaces": Case(rows(comma(T), comma(II), sep=" ", head="time MLII")),
    "thousands in groups": Case(
        rows(T, [f'"{value:,.1f}"' for value in 10_000 + E.ii * 1000], head="time,ECG (uV)"),
    ),
    "spaces of any number": Case(rows([f"  {t}" for t in T], [f"   {v}" for v in II], sep="  ", head="  time    ecg")),
    "bars": Case(rows(T, II, sep=" | ", head="time | ecg")),
    "separators mixed": Case(rows([f"{t};" for t in T], [f"{v}," for v in II], V1, sep=" ", head="time; MLII, V1")),
    "a separator behind each row": Case(rows(T, II, [""] * 7200, head="time,MLII,")),
    "a commented head": Case(rows(T, II, head="# time,MLII")),
    "a frame without names": Case(rows(form(np.arange(7200.0), ".0f"), II, V1, head=",0,1"), options={"fs_hz": 360}),
    "a typographic minus": Case(rows(T, [cell.replace("-", "\u2212") for cell in II], head="time,ECG")),
    "lines below": Case(rows(T, II, head="time,ECG") + "\nend of recording\nthank you, and goodbye, all\n"),
    # columns that are no ECG
    "respiration first": Case(rows(T, RESP, II, head="time,RESP,ECG"), lead="ECG"),
    "a text column": Case(rows(T, ["sinus"] * 7200, II, head="time,comment,ECG"), lead="ECG"),
    "heart rate and spo2": Case(rows(T, ["72"] * 7200, ["98"] * 7200, II, head="time,HR,SpO2,ecg"), lead="ecg"),
    "noise first": Case(rows(T, NOISE, II, head="time,noise,ECG"), lead="ECG"),
    "no name tells": Case(rows(T, RESP, NOISE, II, head="time,a,b,c"), lead="c"),
    "no names at all": Case(rows(T, RESP, II), lead="signal 1"),
    "labels": Case(
        rows(II, [str(n // 1800 % 2) for n in range(7200)], head="ecg,label"), options={"fs_hz": 360}, lead="ecg"
    ),
    "a counter and adc": Case(
        rows(N, form(E.ii * 200 + 1024, ".0f")), options={"fs_hz": 360, "unit": "adc"}, lead="signal 0"
    ),
    **{
        f"lead {name!r} behind another": Case(rows(T, NOISE, II, head=f'time,"{other}","{name}"'), lead=name)
        for name, other in (
            ("MDC_ECG_LEAD_II", "MDC_ECG_LEAD_AVR"),
            ("Lead_II", "V1"),
            ("ECG_II", "V1"),
            ("DII", "V1"),
            ("D2", "V1"),
            ("II+", "V"),
            ("lead2", "V1"),
            ("II (LL-RA)", "V1"),
            ("II,", "V,"),
            ("EKG1", "noise"),
            ("Ableitung II", "V1"),
        )
    },
}


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("name", CASES)
def test_a_table_is_read_as_what_it_is(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    record = read_file(write(tmp_path / "a.csv", case.content), **case.options)
    judged = choose_leads(record.leads)[0]
    assert record.fs_hz == pytest.approx(case.fs_hz, rel=case.near or 1e-9)
    if case.lead is not None:
        assert record.leads[judged] == case.lead
    found = to_millivolts(record.samples, record.gain, record.baseline)[:, judged].astype(np.float64)
    expected = ECG[case.fs_hz].ii.copy()
    for hole in case.missing:
        expected[hole] = np.nan
    assert len(found) == len(expected)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    # Where 0 mV lies is not told by ADC counts, and does not matter.
    found -= np.nanmedian(found - expected)
    np.testing.assert_allclose(found, expected, atol=case.atol)


LENT = Path(__file__).parents[3] / "shared" / "cases"  # beside a checkout, not in it


@pytest.mark.skipif(not (LENT / "cases.tar.xz").is_file(), reason="the cases of others do not lie beside the checkout")
def test_the_cases_of_others_are_read_as_the_same_ecg(tmp_path: Path) -> None:
    refused = {"119annotations.txt", "mitbih_train.csv"}
    with tarfile.open(LENT / "cases.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    plain = np.loadtxt(tmp_path / "cases" / "leads_dii.csv", delimiter=",", skiprows=1)
    for case in json.loads((LENT / "cases.json").read_text()):
        given = dict(zip(case["args"][::2], case["args"][1::2], strict=True))
        leads = tuple(given["--leads"].split(",")) if "--leads" in given else None
        fs_hz = float(given["--fs"]) if "--fs" in given else None
        for file in case["files"] if case["id"][0] in "CL" else ():
            path = tmp_path / "cases" / file
            if path.name in refused:
                with pytest.raises(EcgStreamError, match=path.name):
                    read_file(path, fs_hz=fs_hz)
                continue
            record = read_file(path, fs_hz=fs_hz, leads=leads, unit=given.get("--unit"))
            judged = choose_leads(record.leads)[0]
            found = to_millivolts(record.samples, record.gain, record.baseline)[:, judged].astype(np.float64)
            # The shape alone: the jittered one is stretched, and ADC counts have no scale.
            rate = 122.0 if path.name == "jitter.csv" else record.fs_hz
            held = np.interp(np.arange(len(found)) / rate, np.arange(len(plain)) / 360, plain[:, 2])
            known = np.isfinite(found)
            assert np.corrcoef(found[known], held[known])[0, 1] > 0.99, case["id"]
            assert record.fs_hz == pytest.approx(rate, rel=0.01), case["id"]
