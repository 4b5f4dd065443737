"""An alarm as FHIR R4. Pure.

An Observation, of the specification's version 4.0/4.3 (``fhir.resources.R4B``; what is used of it is the same in both).
What FHIR has a place for stands there. What it has none for, and what its place cannot hold exactly (nanoseconds, text
that is no FHIR string), is an extension named by the alert's field: it wins over the place. So
every alert can be read back as JSON carries it, field by field.
"""

import base64
import hashlib
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from fhir.resources.R4B.observation import Observation

from alerting.strips.alarm_strip import AlarmStrip
from bus.messages import Alert
from ecg.leads import mdc_code
from ecg.records import MISSING

BASE = "https://ecgstream.example/fhir"  # names that are ours; nothing is served there
ALARM_IDS = f"{BASE}/alarm"
PATIENT_IDS = f"{BASE}/patient"
DEVICE_IDS = f"{BASE}/device"
CONDITIONS = f"{BASE}/condition"
KINDS = f"{BASE}/alarm-kind"
FIELDS = f"{BASE}/alert/"  # and the field's name: an extension
DELIVERIES = f"{BASE}/delivery"
JSON = "json"  # within an extension: a value of more than one part
PARTS = f"{BASE}/component"
MDC = "urn:iso:std:iso:11073:10101"
LOINC = "http://loinc.org"
HEART_RATE = "8867-4"
UCUM = "http://unitsofmeasure.org"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_UCUM_OF = {"/min": "/min", "s": "s", "probability": "1", "mV": "mV"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def resource_id(alarm: str) -> str:
    """The resource's id on a server: of the alarm's id, which holds what FHIR's ids cannot."""
    return hashlib.sha256(alarm.encode()).hexdigest()


def observation_of(alert: Alert, strip: AlarmStrip | None = None) -> Observation:
    """An alarm as it stands after a message, as an Observation.

    Parameters
    ----------
    alert : the message
    strip : the samples that show it, where there are any
    """
    fields = alert.model_dump(mode="json")
    extra: dict[str, Any] = {
        name: fields[name] for name in Alert.model_fields if name not in _placed(alert) and fields[name] is not None
    }
    resource: dict[str, Any] = {
        "resourceType": "Observation",
        "id": resource_id(alert.id),
        "status": "final" if alert.phase == "end" else "preliminary",
        "category": [{"coding": [{"system": KINDS, "code": alert.kind}]}],
        "code": _code(alert),
        "subject": {"identifier": {"system": PATIENT_IDS, "value": alert.patient}},
        "extension": [_extension(name, value) for name, value in extra.items()],
    }
    if _is_string(alert.id):
        resource["identifier"] = [{"system": ALARM_IDS, "value": alert.id}]
    if _is_string(alert.device):
        resource["device"] = {"identifier": {"system": DEVICE_IDS, "value": alert.device}}
    resource |= _times(alert) | _measured(alert)
    if "reasons" in _placed(alert) and alert.reasons:
        resource["note"] = [{"text": reason} for reason in alert.reasons]
    if parts := [*_scores(alert), *(() if strip is None else _strip(strip))]:
        resource["component"] = parts
    return Observation.model_validate(resource)


def _placed(alert: Alert) -> set[str]:
    """The fields that their places in FHIR hold exactly."""
    placed = {"patient", "condition", "kind", "mdc", "value", "limit", "score", "heart_rate_bpm"}
    placed |= {name for name in ("id", "label", "device") if _is_string(getattr(alert, name))}
    if alert.mdc is not None and not _is_string(alert.mdc.reference_id):
        placed.discard("mdc")
    if all(map(_is_string, alert.reasons)):
        placed.add("reasons")
    if alert.value is not None and alert.unit is not None and _is_string(alert.unit):
        placed.add("unit")
    if alert.score is not None:
        placed.add("threshold")
    return placed


def _times(alert: Alert) -> dict[str, Any]:
    """To the microsecond; exact ones are extensions."""
    start, issued = _instant(alert.onset_ns), _instant(alert.told_ns)
    # An end before the start is none that FHIR takes: a clock was moved.
    ended = alert.end_ns is not None and alert.end_ns >= alert.onset_ns
    end = _instant(alert.end_ns) if ended and alert.end_ns is not None else None
    period = {name: at for name, at in (("start", start), ("end", end)) if at is not None}
    return ({"issued": issued} if issued else {}) | ({"effectivePeriod": period} if period else {})


def _measured(alert: Alert) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if alert.value is not None:
        found["valueQuantity"] = _quantity(alert.value, alert.unit)
    if alert.limit is not None:
        above = alert.value is None or alert.value >= alert.limit
        found["referenceRange"] = [{"high" if above else "low": _quantity(alert.limit, alert.unit)}]
        if alert.value is not None:
            found["interpretation"] = [{"coding": [{"system": INTERPRETATION, "code": "H" if above else "L"}]}]
    return found


def _code(alert: Alert) -> dict[str, Any]:
    coding = [{"system": CONDITIONS, "code": alert.condition}]
    if alert.mdc is not None:
        display = {"display": alert.mdc.reference_id} if _is_string(alert.mdc.reference_id) else {}
        coding.append({"system": MDC, "code": str(alert.mdc.code), **display})
    return {"coding": coding} | ({"text": alert.label} if _is_string(alert.label) else {})


def _scores(alert: Alert) -> Iterable[dict[str, Any]]:
    if alert.score is not None:
        part: dict[str, Any] = {
            "code": {"coding": [{"system": PARTS, "code": "score"}], "text": "fused score"},
            "valueQuantity": _quantity(alert.score, "probability"),
        }
        if alert.threshold is not None:
            part["referenceRange"] = [{"high": _quantity(alert.threshold, "probability")}]
        yield part
    if alert.heart_rate_bpm is not None:
        yield {
            "code": {"coding": [{"system": LOINC, "code": HEART_RATE, "display": "Heart rate"}]},
            "valueQuantity": _quantity(alert.heart_rate_bpm, "/min"),
        }


def _strip(strip: AlarmStrip) -> Iterable[dict[str, Any]]:
    """A component for each lead."""
    for at, lead in enumerate(strip.leads):
        gain, baseline = strip.gain[at], strip.baseline[at]
        code: dict[str, Any] = {"coding": [{"system": PARTS, "code": "strip"}], "text": lead}
        if (standard := mdc_code(lead)) is not None:
            code["coding"].append({"system": MDC, "code": str(standard[0]), "display": standard[1]})
        samples = strip.samples[:, at]
        yield {
            "code": code,
            "extension": [
                _extension("strip_start_ns", strip.start_ns),
                _extension("strip_gain", repr(gain)),
                _extension("strip_baseline", baseline),
                _extension("strip_fs_hz", repr(strip.fs_hz)),
            ],
            "valueSampledData": {
                "origin": _quantity(-baseline / gain, "mV"),
                "period": Decimal(repr(1000 / strip.fs_hz)),  # ms
                "factor": Decimal(repr(1 / gain)),
                "dimensions": 1,
                "data": " ".join("E" if sample == MISSING else str(sample) for sample in samples.tolist()),
            },
        }


def _quantity(value: float, unit: str | None) -> dict[str, Any]:
    # By its shortest text: the number that comes back is the same.
    quantity: dict[str, Any] = {"value": Decimal(repr(value))}
    if unit is not None and _is_string(unit):
        quantity["unit"] = unit
        if unit in _UCUM_OF:
            quantity |= {"system": UCUM, "code": _UCUM_OF[unit]}
    return quantity


def _extension(name: str, value: Any) -> dict[str, Any]:
    url = FIELDS + name
    if isinstance(value, (dict, list)):
        return {"url": url, "extension": [{"url": JSON, "valueString": json.dumps(value)}]}
    if isinstance(value, int):  # R4 has no whole numbers of 64 bits, and its decimals are floats to most who read them
        return {"url": url, "valueInteger": value} if abs(value) < 1 << 31 else {"url": url, "valueString": str(value)}
    if isinstance(value, float):
        return {"url": url, "valueDecimal": Decimal(repr(value))}
    if _is_string(value):
        return {"url": url, "valueString": value}
    return {"url": url, "valueBase64Binary": base64.b64encode(str(value).encode()).decode()}


def _is_string(text: str) -> bool:
    """Return whether FHIR takes a text as it is: not empty, no control characters, no blanks around it."""
    return bool(text) and text == text.strip() and all(char.isprintable() or char in "\n\t" for char in text)


def _instant(t_ns: int) -> str | None:
    """A time, UTC, to the microsecond, as FHIR's places hold it; None for one that no calendar has."""
    try:
        return (_EPOCH + timedelta(microseconds=t_ns // 1000)).isoformat()
    except OverflowError:
        return None
