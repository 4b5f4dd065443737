"""An alarm out of the FHIR resource that was made of it. Pure."""

import base64
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
from fhir.resources.R4B.observation import Observation

from alerting.fhir import ALARM_IDS, CONDITIONS, DEVICE_IDS, FIELDS, HEART_RATE, KINDS, LOINC, MDC, PARTS, PATIENT_IDS
from alerting.strips.alarm_strip import AlarmStrip
from bus.messages import Alert
from ecg.errors import EcgStreamError
from ecg.records import MISSING


class FhirError(EcgStreamError):
    """A resource that is no alarm of this project's."""


def alert_of(observation: Observation) -> Alert:
    """The message that an Observation was made of.

    Raises
    ------
    FhirError : when it was made of none
    """
    read = json.loads(observation.model_dump_json())
    found: dict[str, Any] = dict.fromkeys(Alert.model_fields)
    found["reasons"] = [note["text"] for note in read.get("note", ())]
    found |= {name: value for name, value in _from_places(read) if value is not None}
    found |= _from_extensions(read)
    try:
        return Alert.model_validate(found)
    except ValueError:
        raise FhirError("the Observation is no alarm of ecgstream's, or one of another release") from None


def strip_of(observation: Observation) -> AlarmStrip | None:
    """The strip in an Observation; None where it was made without.

    Raises
    ------
    FhirError : when the Observation is none of ours
    """
    alert = alert_of(observation)
    components = json.loads(observation.model_dump_json()).get("component", ())
    parts = [part for part in components if (PARTS, "strip") in _codes(part["code"])]
    if not parts:
        return None
    published = [_from_extensions(part) for part in parts]
    columns = [part["valueSampledData"]["data"].split(" ") for part in parts]
    return AlarmStrip(
        alarm=alert.id,
        patient=alert.patient,
        leads=tuple(part["code"]["text"] for part in parts),
        fs_hz=float(published[0]["strip_fs_hz"]),
        start_ns=int(published[0]["strip_start_ns"]),
        gain=tuple(float(each["strip_gain"]) for each in published),
        baseline=tuple(int(each["strip_baseline"]) for each in published),
        samples=np.array(
            [[MISSING if sample == "E" else int(sample) for sample in column] for column in columns], np.int16
        ).T,
    )


def _from_places(read: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """The fields that stand where FHIR has a place for them."""
    identifiers = [*read.get("identifier", ())]
    identifiers += [read.get(name, {}).get("identifier", {}) for name in ("subject", "device")]
    for field, system in (("id", ALARM_IDS), ("patient", PATIENT_IDS), ("device", DEVICE_IDS)):
        yield from ((field, each["value"]) for each in identifiers if each.get("system") == system)
    codings = [coding for each in (read["code"], *read.get("category", ())) for coding in each.get("coding", ())]
    for field, system in (("condition", CONDITIONS), ("kind", KINDS)):
        yield from ((field, coding["code"]) for coding in codings if coding.get("system") == system)
    for coding in codings:
        if coding.get("system") == MDC and "display" in coding:
            yield "mdc", {"reference_id": coding["display"], "code": coding["code"]}
    yield "label", read["code"].get("text")
    yield "value", read.get("valueQuantity", {}).get("value")
    yield "unit", read.get("valueQuantity", {}).get("unit")
    yield "limit", _limit(read)
    for part in read.get("component", ()):
        if (PARTS, "score") in _codes(part["code"]):
            yield "score", part["valueQuantity"]["value"]
            yield "threshold", _limit(part)
        if (LOINC, HEART_RATE) in _codes(part["code"]):
            yield "heart_rate_bpm", part["valueQuantity"]["value"]


def _from_extensions(read: dict[str, Any]) -> dict[str, Any]:
    return {
        each["url"].removeprefix(FIELDS): _value(each)
        for each in read.get("extension", ())
        if each["url"].startswith(FIELDS)
    }


def _value(extension: dict[str, Any]) -> Any:
    if "extension" in extension:
        return json.loads(extension["extension"][0]["valueString"])
    if "valueBase64Binary" in extension:
        return base64.b64decode(extension["valueBase64Binary"]).decode()
    return next(extension[kind] for kind in ("valueString", "valueInteger", "valueDecimal") if kind in extension)


def _codes(concept: dict[str, Any]) -> set[tuple[str | None, str | None]]:
    return {(coding.get("system"), coding.get("code")) for coding in concept.get("coding", ())}


def _limit(read: dict[str, Any]) -> float | None:
    for each in read.get("referenceRange", ()):
        for bound in ("high", "low"):
            if bound in each:
                value: float = each[bound]["value"]
                return value
    return None
