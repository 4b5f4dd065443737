"""Headers of WFDB records: the text that says what the signal files hold. Source: header(5) of the WFDB library."""

import re
from dataclasses import dataclass
from pathlib import Path

from ecg.errors import EcgStreamError

MAX_HEADER_BYTES = 1_000_000  # a header of a hundred signals has ten thousand
MAX_QUOTED = 200  # characters that a message quotes: a hostile header is long
DEFAULT_FS_HZ = 250.0
DEFAULT_GAIN = 200.0  # of a signal whose gain is not given, or 0
DEFAULT_UNIT = "mV"

_NUMBER = r"\d+[.,]?\d*(?:[eE][+-]?\d+)?|[.,]\d+"
# Behind the length stand time and date, which nobody writes as the standard says.
_RECORD = re.compile(
    rf"(?P<name>[^\s/]+)(?:/(?P<segments>\d+))?\s+(?P<signals>\d+)"
    rf"(?:\s+(?P<fs>{_NUMBER})(?:[/(]\S*)?(?:\s+(?P<length>\d+)(?!\S))?(?:\s.*)?)?"
)
_SIGNAL = re.compile(
    r"(?P<file>\S+)\s+(?P<format>\d+)(?:x(?P<per_frame>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?"
    r"(?:\s+(?P<rest>.*))?"
)
_SEGMENT = re.compile(r"(?P<name>\S+)\s+(?P<length>\d+)(?:\s.*)?")
_GAIN = re.compile(
    rf"(?P<gain>-?(?:{_NUMBER}))?(?:\((?P<baseline>-?\d+)(?:[.,]\d*)?\))?(?:/(?P<unit>\S*))?(?:\s+|$)(?P<rest>.*)"
)
_INTEGER = re.compile(r"(?P<value>-?\d+)(?:\s+|$)(?P<rest>.*)")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")  # as a shell of Windows writes what is redirected


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalLine:
    """Description of one signal by a header.

    Attributes
    ----------
    file_name : of the signal file
    fmt : the signal format, by its number in signal(5)
    per_frame : samples of it in a frame
    skew : samples by which it lies late in its file
    byte_offset : bytes of the file before its first sample
    gain : ADC units per unit
    baseline : the ADC value of 0
    first_value : of its samples, from which format 8 counts on
    unit : of what was measured
    name : the lead, or "" where the header names none
    """

    file_name: str
    fmt: str
    per_frame: int
    skew: int
    byte_offset: int
    gain: float
    baseline: int
    first_value: int
    unit: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a record: another record's name, or "~" for a pause, and its length in frames."""

    name: str
    length: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Description of a record by its header.

    Attributes
    ----------
    name : of the record
    segments : as many as it claims, or None for a record in one piece, whose header describes signals
    count : the number of signals that it claims
    fs_hz : frames in a second; None where the header does not say it
    length : frames; None where the header does not say it
    signals : those that it describes
    parts : the segments that it describes
    """

    name: str
    segments: int | None
    count: int
    fs_hz: float | None
    length: int | None
    signals: tuple[SignalLine, ...]
    parts: tuple[Segment, ...]


def read_header(path: Path) -> Header:
    """Read a header.

    Raises
    ------
    EcgStreamError : when the file is too long for one, or none
    """
    if (held := path.stat().st_size) > MAX_HEADER_BYTES:
        raise EcgStreamError(f"{path.name} has {held} bytes, above {MAX_HEADER_BYTES}: it is no WFDB header")
    try:
        return parse_header(path.read_bytes())
    except ValueError as error:  # also a number of more digits than Python reads
        raise EcgStreamError(
            f"{path.name} is no WFDB header ({str(error)[:MAX_QUOTED]}): its first line is to read 'name signals rate "
            "samples', each other one 'file format gain(baseline)/unit ...': correct that line, or restore the file"
        ) from error


def parse_header(raw: bytes) -> Header:
    """Return the description in the bytes of a header.

    Raises
    ------
    ValueError : when they are none
    """
    lines = [line for each in _text(raw).splitlines() if (line := each.strip()) and not line.startswith("#")]
    record = _match(_RECORD, lines[0] if lines else "", "record line")
    segments = int(record["segments"]) if record["segments"] else None
    parts = () if segments is None else [_match(_SEGMENT, line, "segment line") for line in lines[1:]]
    return Header(
        name=record["name"],
        segments=segments,
        count=int(record["signals"]),
        fs_hz=_number(record["fs"]) or None,
        length=int(record["length"] or 0) or None,
        signals=() if segments is not None else tuple(_signal(line) for line in lines[1:]),
        parts=tuple(Segment(name=part["name"], length=int(part["length"])) for part in parts),
    )


def _text(raw: bytes) -> str:
    if raw.startswith(_UTF_16):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")  # a unit in µV, written by an old program


def _number(text: str | None) -> float:
    """A number with a decimal point or comma; 0 where there is none."""
    return float((text or "0").replace(",", "."))


def _match(pattern: re.Pattern[str], line: str, what: str) -> re.Match[str]:
    found = pattern.fullmatch(line)
    if found is None:
        raise ValueError(f"its {what} reads {line[:40]!r}")
    return found


def _signal(line: str) -> SignalLine:
    signal = _match(_SIGNAL, line, "signal line")
    gain, baseline, unit, rest = _scale(signal["rest"] or "")
    # Resolution, ADC value of 0, first value, checksum, block size; what stands behind them is the description.
    numbers: list[int] = []
    while len(numbers) < 5 and (found := _INTEGER.fullmatch(rest)):
        numbers.append(int(found["value"]))
        rest = found["rest"]
    return SignalLine(
        file_name=signal["file"],
        fmt=signal["format"],
        per_frame=int(signal["per_frame"] or 1),
        skew=int(signal["skew"] or 0),
        byte_offset=int(signal["offset"] or 0),
        gain=gain or DEFAULT_GAIN,
        baseline=baseline if baseline is not None else (*numbers, 0, 0)[1],
        first_value=(*numbers, 0, 0, 0)[2],
        unit=unit or DEFAULT_UNIT,
        name=rest.strip(),
    )


def _scale(rest: str) -> tuple[float, int | None, str | None, str]:
    """Gain (0 where there is none), baseline and unit at the start of a text, and what stands behind them."""
    found = _GAIN.fullmatch(rest)
    if found is None:
        return 0.0, None, None, rest
    baseline = int(found["baseline"]) if found["baseline"] else None
    return _number(found["gain"]), baseline, found["unit"], found["rest"]
