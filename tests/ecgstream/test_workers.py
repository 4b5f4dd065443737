"""Several detectors started as one."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecgstream.workers import Workers, run_workers
from ops.ports import free_ports
from tests.ecgstream.commands import start, status_of
from tests.support.waiting import until


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
async def test_workers_share_the_partitions_and_one_that_is_killed_comes_back(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    port = _two_free_ports()
    environment = {
        "ECGSTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "ECGSTREAM_TOPIC_PREFIX": settings.topic_prefix,
        "ECGSTREAM_HEALTH_PORT": str(port),
        "ECGSTREAM_INSTANCE": tmp_path.name,
    }
    said: list[dict[str, object]] = []
    with start("detect", "--workers", "2", directory=tmp_path, environment=environment) as process:
        reading = asyncio.create_task(asyncio.to_thread(_read, process, said))
        try:
            await until(lambda: _share(port))
            killed = next(each["pid"] for each in said if each["event"] == "worker_started")
            os.kill(int(str(killed)), signal.SIGKILL)
            await until(lambda: any(each["event"] == "worker_ended" and each["status"] == -9 for each in said))
            await until(lambda: _share(port))
            process.send_signal(signal.SIGTERM)
            await until(lambda: process.poll() is not None)
        finally:
            process.kill()  # of no effect on one that has ended
            await reading
    assert process.returncode == 0, said


def _read(process: subprocess.Popen[str], said: list[dict[str, object]]) -> None:
    """Gather the lines of a command's log until it ends."""
    assert process.stderr is not None
    said.extend(json.loads(line) for line in process.stderr)


def _two_free_ports() -> int:
    """The first of two ports in a row on which nobody listens."""
    while True:
        (port,) = free_ports(1)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port + 1)):
            return port


def _share(port: int) -> bool:
    """Return whether two workers process two partitions each."""
    try:
        return [_partitions(port), _partitions(port + 1)] == [2.0, 2.0]
    except (OSError, StopIteration):  # it does not listen yet, or has not counted yet
        return False


def _partitions(port: int) -> float:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        page = answer.read().decode()
    return next(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "ecgstream_detector_partitions"
    )
