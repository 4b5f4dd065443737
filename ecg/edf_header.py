"""Headers of EDF, EDF+ and BDF files: the text before the samples.

Source: Kemp and Olivan, "European data format plus (EDF+)", doi 10.1016/S1388-2457(03)00123-8.
Recorders write it with decimal commas, units in any encoding, a scale of nothing for a channel that was off, and no
number of data records when they are cut off. What can be understood is.
"""

from dataclasses import dataclass
from pathlib import Path

from ecg.errors import EcgStreamError
from ecg.wfdb_pieces import MAX_SIGNALS

BDF_VERSION = b"\xffBIOSEMI"
_FIXED_BYTES = 256  # of the header, and as many again for each signal
# Bytes of each signal's fields, in their order: label, transducer, unit, physical and digital range, filter, count.
_WIDTHS = {"label": 16, "transducer": 80, "unit": 8, "physical_min": 8, "physical_max": 8}
_WIDTHS |= {"digital_min": 8, "digital_max": 8, "filter": 80, "count": 8}
_ANNOTATIONS = ("EDF Annotations", "BDF Annotations")  # labels of signals that hold text


@dataclass(frozen=True, slots=True, kw_only=True)
class EdfSignal:
    """A signal's description.

    Attributes
    ----------
    label, unit : as the file has them
    physical, digital : minimum and maximum, in its unit and in steps
    start, count : samples of a data record before its own, and how many it has there
    """

    label: str
    unit: str
    physical: tuple[float, float]
    digital: tuple[float, float]
    start: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EdfHeader:
    """A file's description.

    Attributes
    ----------
    header_bytes : before the first data record
    sample_bytes : 2, or 3 in BDF
    duration_s : of a data record, s
    records : data records that are there in full
    size : samples of all signals in one
    signals : all but annotations
    clock : where in a data record its time stands, as a span of samples; None where it has none
    interrupted : whether data records may lie apart (EDF+D)
    remarks : what of the file was read otherwise than it says
    """

    header_bytes: int
    sample_bytes: int
    duration_s: float
    records: int
    size: int
    signals: tuple[EdfSignal, ...]
    clock: tuple[int, int] | None
    interrupted: bool
    remarks: tuple[str, ...]


def read_edf_header(path: Path) -> EdfHeader:
    """Read a header, and compare it with the bytes that are there.

    Raises
    ------
    EcgStreamError : when it is none, or not one data record is there in full
    """
    with path.open("rb") as file:
        fixed = file.read(_FIXED_BYTES)
        try:
            header_bytes, count = int(fixed[184:192]), int(fixed[252:256])
            if not 1 <= count <= MAX_SIGNALS or header_bytes != _FIXED_BYTES * (count + 1):
                raise EcgStreamError(
                    f"{path.name} claims {count} signals in a header of {header_bytes} bytes: 1 to {MAX_SIGNALS} are "
                    f"read, in {_FIXED_BYTES} bytes each and {_FIXED_BYTES} more: restore the file"
                )
            fields = {name: [file.read(width) for _ in range(count)] for name, width in _WIDTHS.items()}
            counts = [int(each) for each in fields["count"]]
            duration_s = _number(fixed[244:252])
        except ValueError as error:
            raise EcgStreamError(f"{path.name} has no whole EDF header ({error}): restore the file") from error
    if min(counts) < 0 or sum(counts) == 0:
        raise EcgStreamError(f"{path.name} claims data records of {str(counts)[:80]} samples: restore the file")
    labels = [_text(each) for each in fields["label"]]
    starts = [sum(counts[:number]) for number in range(count)]
    sample_bytes = 3 if fixed.startswith(BDF_VERSION) else 2
    records, remarks = _records(path, fixed, header_bytes, sample_bytes * sum(counts))
    clock = next((number for number, label in enumerate(labels) if label in _ANNOTATIONS), None)
    return EdfHeader(
        header_bytes=header_bytes,
        sample_bytes=sample_bytes,
        duration_s=duration_s,
        records=records,
        size=sum(counts),
        signals=tuple(
            EdfSignal(
                label=labels[number],
                unit=_text(fields["unit"][number]),
                physical=_range(fields, "physical", number),
                digital=_range(fields, "digital", number),
                start=starts[number],
                count=counts[number],
            )
            for number in range(count)
            if labels[number] not in _ANNOTATIONS
        ),
        clock=None if clock is None else (starts[clock], counts[clock]),
        interrupted=fixed[192:197] in {b"EDF+D", b"BDF+D"},
        remarks=remarks,
    )


def _records(path: Path, fixed: bytes, header_bytes: int, record_bytes: int) -> tuple[int, tuple[str, ...]]:
    """Return how many data records are there in full, and what is to be said of that."""
    held = path.stat().st_size - header_bytes
    whole, rest = divmod(max(held, 0), record_bytes)
    try:
        claimed = int(fixed[236:244])
    except ValueError:
        claimed = -1
    if whole == 0:
        raise EcgStreamError(
            f"{path.name} claims {claimed} data records of {record_bytes} bytes, it holds {held} bytes, not one of "
            "them: give the file that holds the samples"
        )
    if claimed == whole and not rest:
        return whole, ()
    says = f"claims {claimed} data records" if claimed >= 0 else "does not say how many data records it has"
    part = ", and a part of one that is left out" if rest else ""
    return whole, (f"{path.name} {says}, it holds {whole} whole ones{part}: as when a recorder is cut off",)


def _range(fields: dict[str, list[bytes]], name: str, number: int) -> tuple[float, float]:
    """Minimum and maximum; what is no number is NaN, so that the signal has no scale, and the others have theirs."""
    found = []
    for end in ("min", "max"):
        try:
            found.append(_number(fields[f"{name}_{end}"][number]))
        except ValueError:
            found.append(float("nan"))
    return found[0], found[1]


def _number(field: bytes) -> float:
    return float(_text(field).replace(",", "."))


def _text(field: bytes) -> str:
    try:
        text = field.decode("utf-8")
    except UnicodeDecodeError:
        text = field.decode("latin-1")
    return "".join(letter for letter in text if letter.isprintable()).strip()
