"""Streams of Lab Streaming Layer: a real outlet, found over the network of this machine."""

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bus.settings import KafkaSettings
from gateway.sample_times import SampleTimes
from tests.gateway.serving import indexes, serving, stored
from tests.support.waiting import until

pylsl = pytest.importorskip("pylsl", reason="pylsl is not installed")


def test_times_that_drift_and_jitter_are_counted_without_a_gap_and_late_ones_leave_theirs() -> None:
    counter, rng = SampleTimes(250.0), np.random.default_rng(1)
    index, found = np.arange(100_000), []
    times_ns = (index * 4_000_000 * (1 + 200e-6) + rng.normal(0, 2e6, len(index))).astype(np.int64)
    times_ns[60_000:] += 400_000_000
    for start in range(0, len(index), 73):
        found += [
            (run.start_index, start + run.rows.start, run.rows.stop - run.rows.start, run.start_ns)
            for run in counter.runs(times_ns[start : start + 73])
        ]
    assert sum(count for _, _, count, _ in found) == len(index)
    assert all(at == start + (100 if start >= 60_000 else 0) for at, start, _, _ in found)
    assert all(abs(first_ns - times_ns[start]) < 10e6 for _, start, _, first_ns in found)


def outlet(name: str, *, unit: str = "microvolts") -> Any:
    info = pylsl.StreamInfo(name, "ECG", 2, 250, "float32", f"amplifier-{uuid.uuid4()}")
    channels = info.desc().append_child("channels")
    for label in ("Lead II", "V1"):
        channels.append_child("channel").append_child_value("label", label).append_child_value("unit", unit)
    return pylsl.StreamOutlet(info)


@pytest.fixture(scope="module")
def network() -> None:
    """Skip where no stream of this machine is found on it."""
    held = outlet(f"probe-{uuid.uuid4().hex}")
    if not pylsl.resolve_byprop("source_id", held.get_info().source_id(), timeout=10):
        pytest.skip("Lab Streaming Layer finds nothing here: no multicast")


@pytest.mark.broker
@pytest.mark.usefixtures("network")
async def test_a_stream_of_type_ecg_becomes_a_patient_and_what_it_left_out_a_gap(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    patient = f"lsl-{uuid.uuid4().hex[:8]}"
    sender, bad = outlet(patient), outlet("no patient id", unit="microvolts")
    async with serving(settings, tmp_path, lsl=True) as gateway:
        await until(sender.have_consumers)
        begun_s = pylsl.local_clock() - 3.0
        for start in (*range(0, 250, 50), *range(500, 750, 50)):
            rows = [[float(value), -float(value)] for value in range(start, start + 50)]
            sender.push_chunk(rows, begun_s + (start + 49) / 250)
        await until(lambda: gateway.metric("chunks_total", way="lsl") > 0 and gateway.metric("samples_total") == 500)
        assert gateway.metric("lost_samples_total") == 250
        await until(lambda: gateway.metric("refused_total", code="malformed") == 1)
        assert not bad.have_consumers()
    chunks = [chunk for chunk in await stored(settings) if chunk.patient == patient]
    assert indexes(chunks, patient) == [*range(250), *range(500, 750)]
    assert {chunk.leads for chunk in chunks} == {("II", "V1")}
    values = np.concatenate([chunk.samples for chunk in chunks])
    assert np.array_equal(values[:, 0], [*range(250), *range(500, 750)])
    assert np.array_equal(values[:, 1], -values[:, 0])
