import pytest

from ecg.wfdb_files import toy_record
from ecgstream.bench.core import CorePlan, run_core
from models import SHIPPED


@pytest.fixture(scope="module")
def measured() -> dict[str, object]:
    plan = CorePlan(records=[toy_record()], models=SHIPPED, patients=12, seconds=40.0, chunk_s=0.25, gather_s=0.25)
    return run_core(plan)


def test_every_step_of_the_core_is_timed(measured: dict[str, object]) -> None:
    steps = measured["steps"]
    assert isinstance(steps, dict)
    assert set(steps) == {
        "decode",
        "take in",
        "filter",
        "rapid checks",
        "networks",
        "reading the networks",
        "judge",
        "messages and records",
    }
    assert sum(step["share"] for step in steps.values()) == pytest.approx(1, abs=0.01)
    # 12 patients, from the 20th second to their end: 40 s behind a begin of up to 5 s.
    assert measured["windows"] == pytest.approx(12 * 4.5, abs=8)


def test_a_live_patient_takes_little_memory(measured: dict[str, object]) -> None:
    # Its ring holds 24 s of two leads at 360 Hz, its filtered signal 22 s at 100 Hz.
    assert 30 < float(str(measured["live_patient_kb"])) < 150
