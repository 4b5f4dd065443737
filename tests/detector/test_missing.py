"""Samples that are missing make nothing: no asystole, no flutter, no tachycardia that the untouched record lacks."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bus import topics
from bus.messages import Urgent, Verdict
from detector.offline import EPOCH_NS, judge_record
from detector.scorer import Scorer
from ecg.excerpts import EXCERPTS
from ecg.filters import resample
from ecg.records import MISSING, Record
from ecg.wfdb_files import TOY_NAME, read_wfdb
from models import SHIPPED
from producer.injection import with_faults
from producer.settings import FaultSettings
from producer.streams import Patient, cut
from tests.detector.missing import MARKS, Marks, high_in, made_up, marked
from tests.detector.streams import stopped
from tests.detector.test_rapid_check import Instance, messages, sent

SECONDS = 40
DROPOUTS: list[Marks] = [("periodic", 0.0, 1.0, 0.2, 250)]  # 50 ms of every 250
LOST: list[Marks] = [("all", 0.3, 0.3, 0.1, 1)]
HEARTS = ("119-excerpt", "19090-excerpt", "201-excerpt", "207-excerpt", "209-excerpt", "806-excerpt")  # of two leads
KINDS = ("one lead", "1000 Hz", "100 Hz", "stopped", *HEARTS)


@cache
def scorer() -> Scorer:
    return Scorer(SHIPPED)


@cache
def record(kind: str) -> Record:
    """A part of a real excerpt; of record 208 in some other form too."""
    if kind == "stopped":
        return stopped(20.3, SECONDS)
    whole = read_wfdb(EXCERPTS[kind if kind in HEARTS else TOY_NAME].path)
    one = replace(whole, samples=whole.samples[: round(SECONDS * whole.fs_hz)])
    if kind == "one lead" or kind in HEARTS:
        return one
    fs_hz = float(kind.split(maxsplit=1)[0])
    samples = np.round(resample(one.samples.T.astype(np.float32), 360.0, to_hz=fs_hz)).T.astype(np.int16)
    return replace(one, fs_hz=fs_hz, samples=samples)


@cache
def truly(kind: str) -> list[tuple[str, int, int]]:
    return high_in(judge_record(record(kind), scorer()))


def test_nearly_all_records_have_nothing() -> None:
    assert {kind for kind in KINDS if truly(kind)} <= {"stopped", "207-excerpt"}
    assert truly("stopped")


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(KINDS), marks=MARKS, leads=st.sampled_from([(0,), (1,), (0, 1)]))
@example(kind="one lead", marks=LOST, leads=(0,))
@example(kind="one lead", marks=DROPOUTS, leads=(0,))
@example(kind="1000 Hz", marks=DROPOUTS, leads=(0,))
@example(kind="201-excerpt", marks=LOST, leads=(0,))
@example(kind="119-excerpt", marks=DROPOUTS, leads=(0, 1))
def test_no_finding_of_high_priority_comes_of_missing_samples(
    kind: str, marks: list[Marks], leads: tuple[int, ...]
) -> None:
    whole = record(kind)
    holed = marked(whole, marks, tuple(lead for lead in leads if lead < len(whole.leads)))
    assert made_up(high_in(judge_record(holed, scorer())), truly(kind)) == []


@settings(max_examples=10, deadline=None)
@given(kind=st.sampled_from(KINDS), marks=MARKS, leads=st.sampled_from([(0,), (0, 1)]))
@example(kind="one lead", marks=DROPOUTS, leads=(0,))
def test_the_stream_tells_of_missing_samples_what_the_file_does(
    kind: str, marks: list[Marks], leads: tuple[int, ...]
) -> None:
    whole = record(kind)
    holed = marked(whole, marks, tuple(lead for lead in leads if lead < len(whole.leads)))
    instance = Instance(scorer())
    instance.commit(instance.process(messages(holed)))
    windows = [Verdict.model_validate_json(m.value or b"") for m in instance.committed if m.topic == topics.WINDOWS]
    every = list(judge_record(holed, scorer(), patient="p", device="ecgstream-replay"))
    assert instance.urgent() == [each for each in every if isinstance(each, Urgent)]
    assert windows == [each for each in every if isinstance(each, Verdict)]
    assert made_up(high_in([*instance.urgent(), *windows]), truly(kind)) == []


@pytest.mark.parametrize(
    "faults",
    [
        {"lead_off_per_hour": 600, "lead_off_s": 8, "lead_off_as": "missing"},
        {"missing_per_hour": 600, "missing_s": 6},
        {"missing_per_hour": 3600, "missing_s": 0.2},
        {"gaps_per_hour": 600, "gap_s": 6},
    ],
    ids=lambda faults: next(iter(faults)),
)
def test_what_the_injector_takes_away_makes_nothing(faults: dict[str, object]) -> None:
    patient = Patient(id="p", record=record("201-excerpt"))
    chunks = cut(patient, chunk_ms=250, start_ns=EPOCH_NS)
    instance = Instance(scorer())
    log = sent(with_faults(chunks, patient, FaultSettings.model_validate({"seed": 3} | faults)))
    instance.commit(instance.process(log))
    windows = [Verdict.model_validate_json(m.value or b"") for m in instance.committed if m.topic == topics.WINDOWS]
    assert any(verdict.quality.missing or verdict.continuity.gap_before_s for verdict in windows)
    assert made_up(high_in([*instance.urgent(), *windows]), truly("201-excerpt")) == []


def test_an_asystole_with_a_few_lost_packets_is_found() -> None:
    heart = stopped(12.3, 40)
    samples = heart.samples.copy()
    for second in (14.0, 19.5, 27.0):
        samples[round(second * 360) : round((second + 0.25) * 360)] = MISSING
    every = list(judge_record(replace(heart, samples=samples), scorer()))
    at_once = [each.second for each in every if isinstance(each, Urgent) and each.kind == "asystole"]
    assert at_once == [19, 24, 25, 26, 27, *range(32, 41)]
    assert any(
        each.kind == "asystole" for verdict in every if isinstance(verdict, Verdict) for each in verdict.findings
    )
