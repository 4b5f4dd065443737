"""The plan of a large installation: what is computed in it holds together."""

import pytest

from detector.scorer import Scorer
from ecg.errors import EcgStreamError
from ecg.wfdb_files import toy_record
from ecgstream.bench.scale import ScalePlan, Sizes, plan_scale, sizes_of
from models import SHIPPED

SIZES = Sizes(sample=500.0, verdict=2000.0, progress=1500.0)


def plan(patients: int, *, core_patients: int = 500, cell_patients: int = 20_000) -> ScalePlan:
    return ScalePlan(
        patients=patients,
        cell_patients=cell_patients,
        core_patients=core_patients,
        chunk_ms=250,
        replication=3,
        broker_mb_s=100.0,
        core_month=15.0,
        disk_month=0.1,
    )


def test_ten_times_the_patients_are_ten_times_the_cells() -> None:
    one, ten = plan_scale(plan(20_000), SIZES), plan_scale(plan(200_000), SIZES)
    assert (one["cells"], ten["cells"]) == (1, 10)
    assert ten["cell"]["patients"] == one["cell"]["patients"]
    assert ten["price_month"] == pytest.approx(10 * one["price_month"], rel=1e-3)


def test_the_cores_carry_the_patients_and_the_end_of_one_is_shared_out() -> None:
    cell = plan_scale(plan(5_000), SIZES)["cell"]
    assert (cell["detector_cores"], cell["partitions"]) == (10, 40)
    assert cell["failure"]["moved_partitions"] == 4
    assert cell["failure"]["most_partitions_for_one"] == 1
    assert cell["patients_of_a_core"]["most"] < cell["failure"]["most_patients_of_a_core"] < 1.6 * 500


def test_sizes_are_those_of_real_messages() -> None:
    record = toy_record()
    sizes = sizes_of(record, chunk_ms=250, scorer=Scorer(SHIPPED))
    # 90 samples of one lead are 180 bytes; the rest of a chunk, and Kafka's part, are some 150.
    assert 180 < sizes.sample < 450
    assert 500 < sizes.verdict < 5000
    assert 300 < sizes.progress < 5000


def test_a_cell_holds_a_core_at_least() -> None:
    with pytest.raises(EcgStreamError, match="cell_patients=100 is below core_patients=500"):
        plan(1000, cell_patients=100)
