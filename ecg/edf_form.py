"""The header and the data records of an EDF+ file that is written.

Source: Kemp and Olivan, "European data format plus (EDF+)", doi 10.1016/S1388-2457(03)00123-8. Of what was not received
nothing is written: a data record without any sample is left out (EDF+D). EDF has no mark for a single sample that is
missing; within a data record it has the value -32768, below the digital minimum, and an annotation says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np

from ecg.errors import EcgStreamError
from ecg.leads import mdc_code
from ecg.records import MISSING, Int16Array, exact_rate

NOT_RECEIVED = "Not received"  # begins the annotation of samples that are missing
MAX_RECORD_S = 60  # of a data record: what is cut off at the end of a stretch is marked missing
COUNT_AT = 236  # where the header says how many data records there are
FIELD = 8  # characters of a number in the header
ANNOTATION_BYTES = 240  # of each data record: its time, and one annotation
_STEPS = 32767  # digital maximum, and with a minus the minimum: MISSING lies outside
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_DATE = datetime(1985, 1, 1, tzinfo=UTC)  # the first that EDF knows, where none is known
_YEARS = range(1985, 2085)  # that its two digits can be
_NS = 1_000_000_000
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdfForm:
    """All that the header of a file says.

    Attributes
    ----------
    fs_hz : sampling rate, Hz
    leads : lead names
    gain, baseline : of each lead, ADC units per mV and the ADC value of 0 mV
    patient, device : who, and what recorded; None where it is not known
    start_ns : time of the first sample, ns UTC; None where it is not known
    """

    fs_hz: float
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    patient: str | None = None
    device: str | None = None
    start_ns: int | None = None

    @property
    def record_s(self) -> int:
        """Seconds of a data record: the fewest that hold a whole number of samples.

        Raises
        ------
        EcgStreamError : when that is longer than ``MAX_RECORD_S``
        """
        seconds = exact_rate(self.fs_hz).denominator
        if seconds > MAX_RECORD_S:
            raise EcgStreamError(
                f"at {self.fs_hz:g} Hz, {seconds} s hold a whole number of samples, and a data record of EDF lasts "
                f"{MAX_RECORD_S} s at most: choose the format wfdb"
            )
        return seconds

    @property
    def record_samples(self) -> int:
        """Samples of each lead in a data record."""
        return int(exact_rate(self.fs_hz) * self.record_s)

    def header(self) -> bytes:
        """The header of a file without data records.

        Raises
        ------
        EcgStreamError : when a lead's scale cannot be written
        """
        start = _NO_DATE if self.start_ns is None else _EPOCH + timedelta(seconds=self.start_ns // _NS)
        if start.year not in _YEARS:
            raise EcgStreamError(
                f"a recording of {start.year} has no date in EDF, which knows {_YEARS[0]} to {_YEARS[-1]}: choose "
                "the format wfdb"
            )
        day = "X" if self.start_ns is None else f"{start.day:02}-{_MONTHS[start.month - 1]}-{start.year}"
        count = len(self.leads) + 1
        scales = [_scale(*each) for each in zip(self.leads, self.gain, self.baseline, strict=True)]
        fixed = (
            ("0", 8),
            (f"{_word(self.patient)} X X X", 80),
            (f"Startdate {day} X X {_word(self.device)}", 80),
            (start.strftime("%d.%m.%y"), 8),
            (start.strftime("%H.%M.%S"), 8),
            (str(256 * (count + 1)), 8),
            ("EDF+D", 44),
            ("0", 8),
            (str(self.record_s), 8),
            (str(count), 4),
        )
        fields: tuple[tuple[list[str], int], ...] = (
            ([*_labels(self.leads), "EDF Annotations"], 16),
            ([""] * count, 80),
            ([*(scale[0] for scale in scales), ""], 8),
            ([*(scale[1] for scale in scales), "-1"], 8),
            ([*(scale[2] for scale in scales), "1"], 8),
            ([str(-_STEPS)] * (count - 1) + ["-32768"], 8),
            ([str(_STEPS)] * count, 8),
            ([""] * count, 80),
            ([str(self.record_samples)] * (count - 1) + [str(ANNOTATION_BYTES // 2)], 8),
            ([""] * count, 32),
        )
        text = [(one, width) for one, width in fixed] + [(one, width) for many, width in fields for one in many]
        return b"".join(_ascii(one)[:width].ljust(width) for one, width in text)

    def data_record(self, number: int, samples: Int16Array) -> bytes | None:
        """A data record, or None where nothing of it was received.

        Parameters
        ----------
        number : counted from the first sample of the recording
        samples : (n, leads) int16, n at most ``record_samples``; what it lacks behind its end is missing
        """
        missing = samples == MISSING
        if missing.all():
            return None
        whole = np.full((self.record_samples, len(self.leads)), MISSING, "<i2")
        whole[: len(samples)] = samples
        missing = whole == MISSING
        onset = number * self.record_s + Fraction(0 if self.start_ns is None else self.start_ns % _NS, _NS)
        text = f"+{_decimal(onset)}\x14\x14\0".encode("ascii")
        if missing.any():
            rows = np.flatnonzero(missing.any(axis=1))
            first, last = Fraction(int(rows[0])), Fraction(int(rows[-1]) + 1)
            rate = exact_rate(self.fs_hz)
            names = ", ".join(lead for lead, lost in zip(self.leads, missing.any(axis=0), strict=True) if lost)
            begin = f"+{_decimal(onset + first / rate)}\x15{_decimal((last - first) / rate)}\x14{NOT_RECEIVED}: "
            room = ANNOTATION_BYTES - len(text) - len(begin) - 2
            text += begin.encode("ascii") + _ascii(names)[:room] + b"\x14\0"
        return np.ascontiguousarray(whole.T).tobytes() + text.ljust(ANNOTATION_BYTES, b"\0")


def _scale(lead: str, gain: float, baseline: int) -> tuple[str, str, str]:
    """The unit, physical minimum and maximum of a lead, as eight characters hold them best."""
    found: list[tuple[float, tuple[str, str, str]]] = []
    for unit, per_mv in (("mV", 1), ("uV", 1000)):
        ends = [(end - baseline) / gain * per_mv for end in (-_STEPS, _STEPS)]
        low, high = map(_eight, ends)
        if low is not None and high is not None and float(low) < float(high):
            # In ADC units: how far the worst sample lies from where it was.
            off = max(abs(float(text) - end) for text, end in zip((low, high), ends, strict=True)) * gain / per_mv
            found.append((off, (unit, low, high)))
    if not found or min(found)[0] > _MOST_OFF:
        raise EcgStreamError(
            f"the scale of lead {lead} ({gain:g} ADC units per mV, 0 mV at {baseline}) does not fit the eight digits "
            "of an EDF header: choose the format wfdb"
        )
    return min(found)[1]


_MOST_OFF = 0.5  # ADC units


def _eight(value: float) -> str | None:
    """A number in at most eight characters, with all digits that fit; None where its whole part does not."""
    for places in range(FIELD - 2, -1, -1):
        text = f"{value:.{places}f}"
        if "." in text:
            text = text.rstrip("0").rstrip(".")
        if len(text) <= FIELD:
            return "0" if text == "-0" else text
    return None


def _labels(leads: Iterable[str]) -> list[str]:
    """The leads' labels: "ECG II" for a standard lead, as EDF+ has it; any other as it is called."""
    labels: list[str] = []
    for lead in leads:
        bare = mdc_code(lead)
        label = f"ECG {lead}" if bare is not None and lead.upper() == bare[1].rsplit("_", 1)[1] else lead
        label = _ascii(label)[:16].decode().strip() or "ECG"
        number = 2
        while label in labels:
            label = f"{label[:13]}~{number}"
            number += 1
        labels.append(label)
    return labels


def _word(text: str | None) -> str:
    """A subfield of the header: without blanks, X where nothing is known."""
    return "_".join((text or "").split())[:48] or "X"


def _ascii(text: str) -> bytes:
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text).encode("ascii")


def _decimal(seconds: Fraction) -> str:
    """Seconds with nine digits behind the point at most."""
    whole, rest = divmod(round(seconds * _NS), _NS)
    return f"{whole}.{rest:09}".rstrip("0").rstrip(".")
