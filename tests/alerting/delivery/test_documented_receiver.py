"""The receiver of docs/alarm-delivery.md, run as it stands there."""

import asyncio
import os
import re
import sys
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import URL

from alerting.database.engine import address
from alerting.delivery.signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign
from alerting.delivery.worker import delivering
from alerting.metrics import AlertingMetrics
from ops.clock import SystemClock
from ops.ports import free_ports
from tests.alerting.delivery.boxes import SECRET, alert_message, filled, webhook
from tests.support.waiting import DEADLINE_S, until

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "alarm-delivery.md"


@pytest.fixture
def database(tmp_path: Path) -> URL:
    """A database without tables."""
    return address(f"sqlite:///{tmp_path}/alarms.sqlite")


async def test_it_takes_what_is_signed_once_and_nothing_else(database: URL) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    (port,) = free_ports(1)
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        example,
        env=dict(os.environ) | {"WEBHOOK_SECRET": SECRET, "PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert program.stdout is not None
    try:
        url = f"http://127.0.0.1:{port}/"
        channels = {"x": webhook(url)}
        clock = SystemClock()
        alarm = alert_message("a", priority="high")
        filled(database, channels, [alarm], published_ns=clock.now_ns())
        registry = CollectorRegistry()
        async with delivering(database, channels, AlertingMetrics(registry), clock=clock, instance=None):
            labels = {"channel": "x", "outcome": "done"}
            await until(lambda: registry.get_sample_value("ecgstream_alerting_deliveries_total", labels) == 1)
        async with asyncio.timeout(DEADLINE_S):
            assert await program.stdout.readline() == b"start high abnormal ECG p1\n"
        body, now_s = alarm.to_bytes(), clock.now_ns() // 10**9
        signed = {TIMESTAMP_HEADER: str(now_s), SIGNATURE_HEADER: sign(SECRET, timestamp_s=now_s, body=body)}
        old = {TIMESTAMP_HEADER: "1", SIGNATURE_HEADER: sign(SECRET, timestamp_s=1, body=body)}
        async with httpx.AsyncClient() as client:
            for headers, sent, status in (
                (signed, body, 204),
                (signed, body, 204),
                (signed, body + b" ", 401),
                ({}, body, 401),
                (old, body, 401),
            ):
                answer = await client.post(url, content=sent, headers={"Idempotency-Key": "k", **headers})
                assert answer.status_code == status
        program.terminate()
        after, _ = await program.communicate()
        assert after.count(b"\n") == 1, "a message that comes again under its key is taken once"
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
