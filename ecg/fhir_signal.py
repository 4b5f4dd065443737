"""A stretch of ECG as a FHIR R4 Observation with SampledData. Pure.

Source: the example "ekg" of the FHIR R4 specification. A sample that is missing is "E" there.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ecg.errors import EcgStreamError
from ecg.leads import mdc_code
from ecg.records import MISSING, Record, exact_rate

BASE = "https://ecgstream.example/fhir"  # names that are ours; nothing is served there
MDC = "urn:iso:std:iso:11073:10101"
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
MAX_TEXT = 1024 * 1024  # characters of a string in FHIR, which a lead's samples are
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def observation_of(record: Record, *, patient: str | None, device: str | None, start_ns: int | None) -> dict[str, Any]:
    """A stretch as the fields of an Observation: a component for each lead, in ADC units from 0 mV.

    Parameters
    ----------
    record : the samples
    patient, device : who, and what recorded; None where it is not known
    start_ns : time of the first sample, ns UTC, kept to the microsecond; None where it is not known

    Raises
    ------
    EcgStreamError : when it is too long for FHIR
    """
    fields: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": "procedure", "display": "Procedure"}]}],
        "code": {
            "coding": [
                {"system": MDC, "code": "131328", "display": "MDC_ECG_ELEC_POTL"},
                {"system": LOINC, "code": "11524-6", "display": "EKG study"},
            ]
        },
    }
    if patient is not None:
        fields["subject"] = {"identifier": {"system": f"{BASE}/patient", "value": patient}}
    if device:
        fields["device"] = {"identifier": {"system": f"{BASE}/device", "value": device}}
    if start_ns is not None:
        end_ns = start_ns + round(record.length / exact_rate(record.fs_hz) * 1_000_000_000)
        fields["effectivePeriod"] = {"start": _instant(start_ns), "end": _instant(end_ns)}
    return fields | {"component": [_component(record, column) for column in range(len(record.leads))]}


def _component(record: Record, column: int) -> dict[str, Any]:
    lead, gain, baseline = record.leads[column], record.gain[column], record.baseline[column]
    code: dict[str, Any] = {"text": lead}
    if (standard := mdc_code(lead)) is not None:
        code["coding"] = [{"system": MDC, "code": str(standard[0]), "display": standard[1]}]
    values = record.samples[:, column].tolist()
    data = " ".join("E" if value == MISSING else str(value - baseline) for value in values)
    if len(data) > MAX_TEXT:
        fits_s = record.seconds * MAX_TEXT / len(data)
        raise EcgStreamError(
            f"the {record.seconds:.0f} s of lead {lead} are {len(data)} characters, and a string of FHIR has at most "
            f"{MAX_TEXT}: give a stretch of {int(fits_s * 0.9)} s, or choose the format edf"
        )
    return {
        "code": code,
        "valueSampledData": {
            "origin": {"value": 0, "unit": "mV", "system": UCUM, "code": "mV"},
            "period": Decimal(repr(1000 / record.fs_hz)),  # ms
            "factor": Decimal(repr(1 / gain)),
            "dimensions": 1,
            "data": data,
        },
    }


def _instant(t_ns: int) -> str:
    return (_EPOCH + timedelta(microseconds=t_ns // 1000)).isoformat()
