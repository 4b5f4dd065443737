"""Each error of the table reader: what it says is done to the letter, and then the file is read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ecg.errors import EcgStreamError
from ecg.files import read_file
from ecg.records import Record
from tests.ecg.test_tables import II, NOISE, RESP, V1, N, T, form, rows, write

Read = Callable[..., Record]


@dataclass(frozen=True)
class Refused:
    """A text that is refused, and what its message asks for.

    ``content`` or ``options`` of None are as they were; where the remedy is to give two files, both are.
    """

    content: str | bytes
    message: str
    contents: tuple[str | bytes, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    then: dict[str, Any] | None = None


COUNTED = rows(N, II, head="n,ECG")
TIMED = rows(T, II, head="time,ECG")
SWAPPED = rows(*([*cells[:999], cells[1000], cells[999], *cells[1001:]] for cells in (T, II)), head="time,ECG")
LATER = form([float(t) + 4000 for t in T], ".5f")
BEATS = rows(*(form([float(v)] * 40, ".3f") for v in II[:188]))
NO_SHAPE = rows(T, RESP, NOISE, head="time,a,b")
TWICE = rows(II, V1, head="ECG,ECG")
BAD = [*II[:5], "0.1x", *II[6:]]
WIDE = rows(*([cells] * 20 for cells in II[:2000]))

REFUSED = {
    "empty": Refused("", "is empty: give one that holds samples", ("\n".join(II),), then={"fs_hz": 360}),
    "head alone": Refused(
        "ECG\n",
        "no row of numbers: it needs at least one row of samples",
        ("ECG\n" + "\n".join(II),),
        options={"fs_hz": 360},
    ),
    "no rate": Refused("\n".join(II), "no time column: give the sampling rate in Hz", then={"fs_hz": 360}),
    "a counter alone": Refused(COUNTED, "no time column: give the sampling rate", then={"fs_hz": 360}),
    "milliseconds or numbers": Refused(
        rows(N, II, head="time,ECG"),
        "may be milliseconds or row numbers: give the sampling rate in Hz",
        then={"fs_hz": 360},
    ),
    "no rate of an ECG": Refused(
        rows([f"{7e7 * n:.0f}" for n in range(7200)], II, head="time,ECG"),
        "no rate from 100 to 1000 Hz",
        then={"fs_hz": 360},
    ),
    "times that tell nothing": Refused(
        rows(["10:00:00"] * 7200, II, head="time,ECG"), "tells no rate: give the sampling rate", then={"fs_hz": 360}
    ),
    "few packets": Refused(
        rows([f"10:00:0{n // 2400}" for n in range(7200)], II, head="time,ECG"),
        "give the sampling rate",
        then={"fs_hz": 360},
    ),
    "another rate than the times": Refused(
        TIMED, "says 360 Hz, the argument fs_hz=250: give one of them", options={"fs_hz": 250}, then={}
    ),
    "rows out of order": Refused(
        SWAPPED, "row 1001: the time goes back by 0.0[0-9]* s: sort the rows by time", (TIMED,)
    ),
    "a long pause": Refused(
        rows([*T[:3600], *LATER[3600:]], II, head="time,ECG"),
        "pauses for more than 3600 s behind row 3600",
        (rows(T[:3600], II[:3600], head="time,ECG"), rows(LATER[3600:], II[3600:], head="time,ECG")),
    ),
    "a leap of the counter": Refused(
        rows([*N[:3600], *(str(int(n) + 10**7) for n in N[3600:])], II, head="n,ECG"),
        "leaps by .* behind row 3600: split",
        (rows(N[:3600], II[:3600], head="n,ECG"), rows(N[3600:], II[3600:], head="n,ECG")),
        options={"fs_hz": 360, "unit": "mV"},
    ),
    "too slow": Refused(TIMED, "fs_hz=90 is below 100 Hz", options={"fs_hz": 90}, then={}),
    "a cell that is no number": Refused(
        rows(T, BAD, head="time,ECG"),
        "row 6, column 2: '0.1x' is no number: mend or empty it",
        (rows(T, [*II[:5], "", *II[6:]], head="time,ECG"), TIMED),
    ),
    "too many columns": Refused(
        BEATS,
        "single beats or short stretches .*1.5 s.*, a window needs 5 s: give the recording",
        ("\n".join(II),),
        options={"fs_hz": 125},
    ),
    "leads in rows": Refused(
        "\n".join(",".join(lead) for lead in (II, V1)),
        "its rows are leads: transpose",
        (rows(II, V1),),
        options={"fs_hz": 360},
    ),
    "stretches in rows": Refused(
        WIDE, "stretches .* of their own", options={"fs_hz": 360}, then={"fs_hz": 360, "leads": ("column 2",)}
    ),
    "another signal alone": Refused(
        rows(T, RESP, head="time,RESP"),
        r"no column that is an ECG: 'time' \(a time\), 'RESP' \(respiration\)",
        then={"leads": ("RESP",)},
    ),
    "times alone": Refused(rows(T, head="time"), "it needs at least one lead", (TIMED,)),
    "text alone": Refused(rows(T, ["sinus"] * 7200, head="time,comment"), "it needs at least one lead", (TIMED,)),
    "no shape of an ECG": Refused(
        NO_SHAPE,
        r"none of its columns is an ECG by name or shape: .*name the one that is \(leads\), such as 'a'",
        then={"leads": ("a",)},
    ),
    "one name twice": Refused(
        TWICE,
        "2 columns of the name 'ECG': name one by its place, 'column 1' or 'column 2'",
        options={"fs_hz": 360, "leads": ("ECG",)},
        then={"fs_hz": 360, "leads": ("column 2",)},
    ),
    "a lead that is not there": Refused(
        TIMED, "no lead 'V9': name one of ECG", options={"leads": ("V9",)}, then={"leads": ("ECG",)}
    ),
    "a counter asked for": Refused(
        COUNTED,
        "'n' is a counter, no ECG: name another column .*'ECG'",
        options={"fs_hz": 360, "leads": ("n",)},
        then={"fs_hz": 360, "leads": ("ECG",)},
    ),
    "a time asked for": Refused(
        TIMED, "'time' is a time, no ECG", options={"leads": ("time",)}, then={"leads": ("ECG",)}
    ),
    "commas between and within": Refused(
        rows([str(n * 4) for n in range(7200)], [v.replace(".", ",") for v in II], head="ms,ECG"),
        "save it with semicolons between the cells",
        (rows([str(n * 4) for n in range(7200)], [v.replace(".", ",") for v in II], head="ms;ECG", sep=";"),),
    ),
    "adc counts without a unit": Refused(
        rows(T, form([float(v) * 3000 for v in II], ".0f"), head="time,ECG"),
        "not in mV: give their unit",
        then={"unit": "adc"},
    ),
    "an unknown unit": Refused(
        TIMED, "unit='mmHg' is not known: give mV", options={"unit": "mmHg"}, then={"unit": "mV"}
    ),
    "damaged utf-16": Refused(TIMED.encode("utf-16")[:-1], "damaged utf-16 text .*save it as UTF-8", (TIMED,)),
    "zero bytes": Refused(TIMED + "\0" * 9, "zero bytes, which no table has", (TIMED,)),
    "a cell without end": Refused(f'time,ECG\n0.0,"{"9" * 200_000}\n', "with short cells", (TIMED,)),
    "annotations": Refused(
        "    Time   Sample #  Type  Sub Chan  Num\tAux\n    0:00.214       77     N    0    0    0\n",
        "lists annotations",
        (TIMED,),
        options={"fs_hz": 360},
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_an_error_asks_for_makes_the_file_readable(name: str, tmp_path: Path) -> None:
    case = REFUSED[name]
    path = write(tmp_path / "a.csv", case.content)
    with pytest.raises(EcgStreamError, match=case.message) as refusal:
        read_file(path, **case.options)
    assert "a.csv" in str(refusal.value) or "lead " in str(refusal.value) or "fs_hz" in str(refusal.value)
    for content in case.contents or (case.content,):
        record = read_file(write(path, content), **(case.options if case.then is None else case.then))
        assert record.length > 0
