"""An alarm as FHIR: it validates, and comes back as it was."""

import json

import hypothesis
import numpy as np
import pytest
from fhir.resources.R4B.observation import Observation
from hypothesis import strategies as st

from alerting.fhir import observation_of, resource_id
from alerting.strips.alarm_strip import AlarmStrip
from bus.messages import Alert, MdcCode, Quality
from ecg.records import MISSING
from tests.alerting.alerts import alert
from tests.alerting.fhir_reading import FhirError, alert_of, strip_of

# As JSON carries them: no NaN, no infinity.
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PROBABILITIES = st.floats(0, 1)
TIMES = st.integers(-(2**63), 2**63 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
ALERTS = st.builds(
    Alert,
    schema_version=st.just(2),
    id=TEXTS,
    sequence=st.integers(0, 2**40),
    device=TEXTS,
    patient=st.from_regex(r"\A[A-Za-z0-9_:@+-][A-Za-z0-9._:@+-]{0,11}\Z"),
    lead=st.none() | TEXTS,
    label=TEXTS,
    mdc=st.none() | st.builds(MdcCode, reference_id=TEXTS, code=st.integers(0, 2**32)),
    onset_ns=TIMES,
    last_ns=TIMES,
    returned_ns=st.none() | TIMES,
    detected_ns=TIMES,
    told_ns=st.integers(),
    end_ns=st.none() | TIMES,
    score=st.none() | PROBABILITIES,
    threshold=st.none() | PROBABILITIES,
    value=st.none() | NUMBERS,
    limit=st.none() | NUMBERS,
    unit=st.none() | st.sampled_from(["/min", "s", "probability"]) | TEXTS,
    heart_rate_bpm=st.none() | NUMBERS,
    quality=st.none() | st.builds(Quality, missing=PROBABILITIES, noise=PROBABILITIES),
    models=st.dictionaries(TEXTS, TEXTS, max_size=3),
    reasons=st.lists(TEXTS, max_size=4).map(tuple),
    verdict=TEXTS,
    acknowledged_by=st.none() | TEXTS,
    acknowledged_ns=st.none() | TIMES,
    silenced_by=st.none() | TEXTS,
    silenced_until_ns=st.none() | TIMES,
)


@hypothesis.given(published=ALERTS)
def test_any_alert_validates_and_comes_back_as_it_was(published: Alert) -> None:
    written = observation_of(published).model_dump_json()
    assert alert_of(Observation.model_validate_json(written)) == published


def test_what_fhir_has_a_place_for_stands_there() -> None:
    published = alert(
        condition="asystole",
        label="asystole",
        mdc={"reference_id": "MDC_EVT_ECG_ASYSTOLE", "code": 199684},
        value=5.2,
        limit=4.0,
        unit="s",
        reasons=("asystole, 5 s",),
    )
    read = json.loads(observation_of(published).model_dump_json())
    assert read["id"] == resource_id(published.id)
    assert read["status"] == "preliminary"
    assert read["code"]["coding"][1] == {
        "system": "urn:iso:std:iso:11073:10101",
        "code": "199684",
        "display": "MDC_EVT_ECG_ASYSTOLE",
    }
    assert read["subject"]["identifier"]["value"] == "p1"
    assert read["effectivePeriod"] == {"start": "2023-11-14T22:13:20Z"}
    assert (read["valueQuantity"]["value"], read["valueQuantity"]["code"]) == (5.2, "s")
    assert read["referenceRange"][0]["high"]["value"] == 4.0
    assert read["interpretation"][0]["coding"][0]["code"] == "H"
    assert read["note"] == [{"text": "asystole, 5 s"}]
    assert "value" not in {each["url"].rpartition("/")[2] for each in read["extension"]}, "nothing stands twice"


def test_an_alarm_that_has_ended_is_final() -> None:
    published = alert(phase="end", state="inactive", end_ns=alert().onset_ns + 1_000_000_000)
    read = observation_of(published)
    assert read.status == "final"
    assert read.effectivePeriod is not None
    assert read.effectivePeriod.end is not None


@hypothesis.settings(max_examples=30)
@hypothesis.given(
    samples=st.lists(st.tuples(*[st.just(MISSING) | st.integers(-2000, 2000)] * 2), min_size=1, max_size=20),
    gain=st.floats(1, 5000),
    baseline=st.integers(-2048, 2048),
)
def test_a_strip_comes_back_as_it_was(samples: list[tuple[int, int]], gain: float, baseline: int) -> None:
    strip = AlarmStrip(
        alarm=alert().id,
        patient="p1",
        leads=("II", "V5"),
        fs_hz=360.0,
        start_ns=alert().onset_ns - 1,
        gain=(gain, 200.0),
        baseline=(baseline, 1024),
        samples=np.array(samples, dtype=np.int16),
    )
    written = observation_of(alert(), strip).model_dump_json()
    read = Observation.model_validate_json(written)
    assert alert_of(read) == alert()
    found = strip_of(read)
    assert found is not None
    np.testing.assert_array_equal(found.samples, strip.samples)
    assert (found.leads, found.gain, found.baseline, found.fs_hz, found.start_ns) == (
        strip.leads,
        strip.gain,
        strip.baseline,
        strip.fs_hz,
        strip.start_ns,
    )


def test_the_values_of_a_strip_are_millivolts() -> None:
    samples = np.array([[1024], [1224], [MISSING]], dtype=np.int16)
    strip = AlarmStrip(
        alarm="a",
        patient="p1",
        leads=("MLII",),
        fs_hz=250.0,
        start_ns=0,
        gain=(200.0,),
        baseline=(1024,),
        samples=samples,
    )
    part = json.loads(observation_of(alert(), strip).model_dump_json())["component"][-1]
    data = part["valueSampledData"]
    assert data["data"] == "1024 1224 E"
    assert data["period"] == 4.0
    assert 1224 * data["factor"] + data["origin"]["value"] == pytest.approx(1.0)
    assert strip_of(observation_of(alert())) is None


def test_an_observation_of_somebody_else_is_no_alarm() -> None:
    other = Observation.model_validate({"resourceType": "Observation", "status": "final", "code": {"text": "weight"}})
    with pytest.raises(FhirError, match="no alarm of ecgstream"):
        alert_of(other)
