"""Patient ids without end: who is sent, and the limits that are set. The run itself is a measurement."""

from collections import defaultdict
from pathlib import Path

import yaml

from bus.samples import Chunk
from ecg.wfdb_files import toy_record
from ecgstream.bench.flood import CHUNKS, LIMITS_MB, FloodPlan, _of_patients, _strangers
from ecgstream.bench.memory_limit import MemoryLimit

COMPOSE = Path(__file__).parents[3] / "docker-compose.yml"
NAMES = {"detect": "detector", "alert": "alerting", "web": "web"}


def test_each_service_has_the_memory_of_its_container() -> None:
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    limits = {name: services[NAMES[name]]["deploy"]["resources"]["limits"]["memory"] for name in LIMITS_MB}
    assert {name: {"1G": 1024, "512M": 512}[limit] for name, limit in limits.items()} == LIMITS_MB


def test_every_id_sends_a_window_and_comes_back_where_it_left() -> None:
    plan = FloodPlan(ids=7, records=[toy_record()])
    streams: defaultdict[str, list[Chunk]] = defaultdict(list)
    for part in (range(CHUNKS), range(CHUNKS, 2 * CHUNKS)):
        for chunk in _strangers(plan, 0, chunks=part):
            streams[chunk.patient].append(chunk)
    assert len(streams) == 7
    for chunks in streams.values():
        assert [chunk.start_index for chunk in chunks] == [0, *(chunk.end_index for chunk in chunks[:-1])]
        assert sum(len(chunk.samples) for chunk in chunks[:CHUNKS]) >= 5 * chunks[0].fs_hz


def test_a_page_of_metrics_tells_who_is_carried_and_who_refused() -> None:
    page = (
        "# TYPE ecgstream_detector_patients gauge\necgstream_detector_patients 3\n"
        "# TYPE ecgstream_detector_refused_messages counter\n"
        'ecgstream_detector_refused_messages_total{code="too_many_patients"} 5\n'
        "# TYPE python_info gauge\npython_info 1\n"
    )
    assert _of_patients(page) == {
        "ecgstream_detector_patients": 3.0,
        "ecgstream_detector_refused_messages_total too_many_patients": 5.0,
    }


def test_a_limit_that_cannot_be_set_limits_nothing() -> None:
    limit = MemoryLimit("../no/such/folder", 1_000_000)
    with limit:
        limit.add(1)
        assert (limit.enforced, limit.peak_mb, limit.kills) == (False, None, 0)
