"""An arbitrary sender writes arbitrary messages into one patient's key, between good ones: only that patient feels it.

``ECGSTREAM_HOSTILE_EXAMPLES`` sets how many examples are tried.
"""

import logging
import os
from functools import cache

import pytest
import structlog
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bus import topics
from detector.scorer import Scorer
from producer.hostile import KINDS
from tests.hostile.cheap import CheapScorer, heart
from tests.hostile.scene import (
    BYSTANDERS,
    FAULTS_FROM,
    FAULTS_TO,
    SECONDS,
    VICTIM,
    Outcome,
    Stray,
    Trouble,
    check,
    run,
)

EXAMPLES = int(os.environ.get("ECGSTREAM_HOSTILE_EXAMPLES", "100"))
CHUNKS_A_SECOND = (1, 4)  # several bad ones in a second, and good ones beside them, take other ways
INT64 = st.integers(-(2**63), 2**63 - 1)
SECOND = st.integers(FAULTS_FROM, FAULTS_TO - 1)


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """Thousands of refusals and alarms, none of which anybody reads."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@st.composite
def troubles(draw: st.DrawFn) -> Trouble:
    first = draw(SECOND)
    return Trouble(
        kind=draw(st.sampled_from(sorted(KINDS))),
        seed=draw(st.integers(0, 2**16)),
        first=first,
        length=draw(st.integers(1, FAULTS_TO - first)),
    )


CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "device": st.sampled_from(["ecgstream-replay", "other", ""]),
        "start_ns": INT64,
        "start_index": st.integers(0, 2**40) | INT64,
        "fs_hz": st.sampled_from([125.0, 124.9, 100.0, 1000.0, 99.0]),
        "leads": st.sampled_from([["MLII"], ["V1"], ["I", "II"]]),
        "gain": st.sampled_from([[200.0], [1e-3], [1e6], [200.0, 200.0]]),
        "count": st.sampled_from([125, 124, 1]),
        "samples": st.sampled_from([bytes(250), b"\x00\x80" * 125, bytes(248), b"\x01\x02" * 250]),
    },
)
STRAYS = st.builds(
    Stray,
    at=SECOND,
    value=st.none() | st.binary(max_size=60) | CHANGES,
    keyed=st.just(VICTIM.encode()) | st.none() | st.binary(max_size=4),
    partition=st.sampled_from([None, 0, 1]),
)


@cache
def cheap() -> Scorer:
    return CheapScorer()


@cache
def undisturbed() -> Outcome:
    return run(cheap(), HEARTS, [], [])


# The victim's heart stops before the faults: its alarm is open, and latched, while they last.
HEARTS = (
    heart(VICTIM, SECONDS, stops=[(8.0, 15.0)], seed=1),
    heart("neighbour", SECONDS, stops=[(30.0, 36.0)], seed=2),
    heart("other", SECONDS, stops=[(50.0, 57.0)], seed=3),
)


def test_the_scene_shows_what_it_is_meant_to() -> None:
    whole = undisturbed()
    for name in (VICTIM, *BYSTANDERS):
        assert len(whole.verdicts[name]) == SECONDS // 5
        assert {verdict.decision for verdict in whole.verdicts[name]} >= {"normal", "abnormal"}
        assert whole.shown[name, topics.URGENT]
        conditions = {alert.condition for alert in whole.alerts[name]}
        assert conditions >= {"asystole", "abnormal_window"}
    assert whole.letters == 0


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    faults=st.lists(troubles(), max_size=4),
    strays=st.lists(STRAYS, max_size=6),
    chunks_a_second=st.sampled_from(CHUNKS_A_SECOND),
)
# True samples and others a minute ahead: when the true ones come to where those were, they go on in their own stream.
@example(
    faults=[Trouble(kind="again", seed=0, first=26, length=1), Trouble(kind="leap", seed=738, first=25, length=3)],
    strays=[],
    chunks_a_second=4,
)
def test_an_arbitrary_sender_is_felt_by_its_patient_alone_and_not_for_ever(
    faults: list[Trouble], strays: list[Stray], chunks_a_second: int
) -> None:
    outcome = run(cheap(), HEARTS, faults, strays, chunks_a_second=chunks_a_second)
    check(outcome, undisturbed(), strangers=any(fault.kind == "ids" for fault in faults))


@pytest.mark.parametrize("chunks_a_second", CHUNKS_A_SECOND)
@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_fault_is_felt_by_its_patient_alone_and_not_for_ever(kind: str, chunks_a_second: int) -> None:
    fault = Trouble(kind=kind, seed=1, first=FAULTS_FROM, length=FAULTS_TO - FAULTS_FROM)
    outcome = run(cheap(), HEARTS, [fault], [], chunks_a_second=chunks_a_second)
    check(outcome, undisturbed(), strangers=kind == "ids")
