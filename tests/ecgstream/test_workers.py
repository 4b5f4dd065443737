"""Several detectors started as one."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecgstream.workers import Workers, run_workers
from ops.ports import free_ports
from tests.ecgstream.commands import start, status_of

PATIENCE_S = 120


def test_a_worker_that_ends_at_once_ends_all_of_them_with_its_status() -> None:
    plan = Workers(count=2, arguments=["no-such-command"], instance="here", health_port=0)
    with pytest.raises(EcgStreamError, match=r"worker \d of 2 ended with status 2 at once: see its log"):
        asyncio.run(run_workers(plan))


def test_each_worker_has_a_name_and_a_port_of_its_own() -> None:
    plan = Workers(count=2, arguments=["detect"], instance="ward-3", health_port=9100)
    found = [plan.environment(number) for number in range(2)]
    assert [each["ECGSTREAM_INSTANCE"] for each in found] == ["ward-3-0", "ward-3-1"]
    assert [each["ECGSTREAM_HEALTH_PORT"] for each in found] == ["9100", "9101"]


def test_more_workers_than_partitions_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["detect", "--workers", "5"]) == 1
    assert "--workers 5 is more than the 4 partitions" in capsys.readouterr().err


@pytest.mark.broker
def test_workers_share_the_partitions_and_one_that_is_killed_comes_back(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    port = _two_free_ports()
    environment = {
        "ECGSTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ECGSTREAM_TOPIC_PREFIX": settings.topic_prefix,
        "ECGSTREAM_HEALTH_PORT": str(port),
        "ECGSTREAM_INSTANCE": tmp_path.name,
    }
    with start("detect", "--workers", "2", directory=tmp_path, environment=environment) as process:
        try:
            killed = _started(process)
            _until_shared(port)
            os.kill(killed, signal.SIGKILL)
            assert process.stderr is not None
            ended = next(line for line in process.stderr if "worker_ended" in line)
            _until_shared(port)
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=PATIENCE_S)
        finally:
            process.kill()  # of no effect on one that has ended
    assert process.returncode == 0, err
    assert '"status": -9' in ended


def _two_free_ports() -> int:
    """The first of two ports in a row on which nobody listens."""
    while True:
        (port,) = free_ports(1)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            return port


def _started(process: subprocess.Popen[str]) -> int:
    """The process id of the first worker that was started, as the log says it."""
    assert process.stderr is not None
    return int(json.loads(next(line for line in process.stderr if "worker_started" in line))["pid"])


def _until_shared(port: int) -> None:
    """Wait until two workers process two partitions each."""
    until_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < until_s:
        with contextlib.suppress(URLError, OSError, StopIteration):
            if [_partitions(port), _partitions(port + 1)] == [2.0, 2.0]:
                return
        time.sleep(0.2)
    raise AssertionError(f"the workers did not share the partitions within {PATIENCE_S} s")


def _partitions(port: int) -> float:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        page = answer.read().decode()
    return next(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "ecgstream_detector_partitions"
    )
