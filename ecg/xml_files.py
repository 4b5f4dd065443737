"""ECGs in XML: HL7 annotated ECGs (aECG, ANSI/HL7 V3 ECG R1), and resting ECGs as GE MUSE exports them."""

import base64
import binascii
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg.channels import Channel, choose_channels
from ecg.errors import EcgStreamError
from ecg.quantise import record_of
from ecg.records import Record

MAX_BYTES = 200_000_000
_SECONDS = {"s": 1.0, "sec": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}
_TIMES = ("TIME_ABSOLUTE", "TIME_RELATIVE")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lead:
    """A lead: its values in its unit, (n,)."""

    name: str
    unit: str
    values: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Strip:
    """Leads that were recorded together."""

    fs_hz: float
    leads: tuple[_Lead, ...]

    @property
    def seconds(self) -> float:
        """Length, s."""
        return max((len(lead.values) for lead in self.leads), default=0) / self.fs_hz


def read_xml(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> Record:
    """The ECG in an XML file: its longest strip; median beats beside it are left out, with a remark.

    Parameters
    ----------
    path : the file
    fs_hz, leads, unit : what the caller says, which comes before what the file says

    Raises
    ------
    EcgStreamError : when the file is damaged, or of an unknown kind
    """
    root = _parsed(path)
    kind = _own(root.tag)
    if kind not in _KINDS:
        raise EcgStreamError(
            f"{path.name} is XML of the kind {kind[:40]!r}, which is not read: export the ECG as HL7 aECG, DICOM or EDF"
        )
    try:
        strips = sorted(_KINDS[kind](root), key=lambda strip: -strip.seconds)
    except (ValueError, TypeError, ArithmeticError, binascii.Error) as error:
        raise EcgStreamError(f"{path.name}: its {kind} is damaged ({str(error)[:100]}): export it anew") from error
    if not strips:
        raise EcgStreamError(f"{path.name} holds no samples: export it with its waveform")
    strip = strips[0]
    channels = tuple(Channel(name=lead.name, unit=lead.unit, fs_hz=strip.fs_hz) for lead in strip.leads)
    choice = choose_channels(channels, file=path.name, leads=leads, unit=unit, fs_hz=fs_hz)
    chosen = [strip.leads[column] for column in choice.columns]
    values = np.full((max(len(lead.values) for lead in chosen), len(chosen)), np.nan)
    for column, lead in enumerate(chosen):
        values[: len(lead.values), column] = lead.values
    others = tuple(f"another strip of {other.seconds:.3g} s is left out" for other in strips[1:])
    return record_of(
        values,
        name=path.stem,
        fs_hz=choice.fs_hz,
        leads=choice.leads,
        units=choice.units,
        remarks=(*others, *choice.remarks),
    )


def _parsed(path: Path) -> Any:
    from defusedxml.common import DefusedXmlException  # noqa: PLC0415 - paid only where XML is read
    from defusedxml.ElementTree import ParseError, parse  # noqa: PLC0415

    if (held := path.stat().st_size) > MAX_BYTES:
        raise EcgStreamError(f"{path.name} has {held} bytes, above {MAX_BYTES}: export it in parts")
    try:
        return parse(path).getroot()
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise EcgStreamError(
            f"{path.name} is no whole XML document ({str(error)[:100] or type(error).__name__}): export it anew"
        ) from error


def _own(tag: Any) -> str:
    """A tag without its namespace."""
    return str(tag).rpartition("}")[2]


def _each(element: Any, name: str) -> Iterator[Any]:
    return (each for each in element.iter() if _own(each.tag) == name)


def _child(element: Any, name: str) -> Any:
    return next((each for each in element if _own(each.tag) == name), None)


def _text(element: Any, name: str, default: str = "") -> str:
    found = _child(element, name)
    return default if found is None or found.text is None else str(found.text).strip()


def _annotated(root: Any) -> Iterator[_Strip]:
    """The sequence sets of an aECG."""
    for together in _each(root, "sequenceSet"):
        rate, leads = 0.0, []
        for sequence in _each(together, "sequence"):
            code, value = _child(sequence, "code"), _child(sequence, "value")
            if code is None or value is None:
                continue
            name = str(code.get("code", ""))
            if name in _TIMES:
                step = _child(value, "increment")
                seconds = float(step.get("value")) * _SECONDS[str(step.get("unit", "s"))] if step is not None else 0.0
                rate = _whole(1 / seconds) if seconds > 0 else rate
            elif (digits := _text(value, "digits")) and (scale := _child(value, "scale")) is not None:
                origin = _child(value, "origin")
                start = float(origin.get("value", 0)) if origin is not None else 0.0
                values = np.array(digits.split(), np.float64) * float(scale.get("value")) + start
                leads.append(_Lead(name=name, unit=str(scale.get("unit", "")), values=values))
        if leads and rate:
            yield _Strip(fs_hz=rate, leads=tuple(leads))


def _whole(rate: float) -> float:
    return float(round(rate)) if abs(rate - round(rate)) < 1e-3 else rate


def _muse(root: Any) -> Iterator[_Strip]:
    """The waveforms of a MUSE export: 16-bit integers in base64."""
    for waveform in _each(root, "Waveform"):
        rate = float(_text(waveform, "SampleBase", "0")) * 10.0 ** float(_text(waveform, "SampleExponent", "0") or 0)
        leads = []
        for lead in (each for each in waveform if _own(each.tag) == "LeadData"):
            packed = base64.b64decode("".join(_text(lead, "WaveFormData").split()))
            values = np.frombuffer(packed[: len(packed) // 2 * 2], "<i2").astype(np.float64)
            scale = float(_text(lead, "LeadAmplitudeUnitsPerBit", "1"))
            unit = _text(lead, "LeadAmplitudeUnits", "MICROVOLTS")
            leads.append(_Lead(name=_text(lead, "LeadID"), unit=unit, values=values * scale))
        if leads and rate > 0:
            yield _Strip(fs_hz=rate, leads=tuple(leads))


_KINDS: dict[str, Callable[[Any], Iterator[_Strip]]] = {"AnnotatedECG": _annotated, "RestingECG": _muse}
