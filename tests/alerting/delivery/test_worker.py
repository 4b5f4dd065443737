"""Delivery workers on real servers: everything arrives, whoever is slow, dead or killed, and no secret is shown."""

import asyncio
import json
import logging
import random
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy import URL

from alerting.database.engine import address
from alerting.delivery.apprise_channel import AppriseChannel
from alerting.delivery.channels import Channel, Channels
from alerting.delivery.fhir_channel import FhirChannel
from alerting.delivery.outbox import Outbox
from alerting.delivery.sending import Delivery
from alerting.delivery.signature import verify
from alerting.delivery.worker import DeliveryWorker, delivering
from alerting.metrics import AlertingMetrics
from ops.clock import SystemClock
from tests.alerting.delivery.boxes import SECRET, alert_message, filled, rows, webhook
from tests.support.receiver import Receiver, receiving
from tests.support.waiting import until

CLOCK = SystemClock()


@pytest.fixture
def sqlite(tmp_path: Path) -> URL:
    """A database without tables."""
    return address(f"sqlite:///{tmp_path}/alarms.sqlite")


@pytest.fixture
def slow_server() -> Iterator[tuple[Receiver, threading.Event]]:
    """A server that answers no call before its event is set."""
    free = threading.Event()
    with receiving() as server:
        server.answer = lambda _: 200 if free.wait(60) else 500
        yield server, free
        free.set()


@asynccontextmanager
async def workers(url: URL, channels: Channels) -> AsyncIterator[CollectorRegistry]:
    """Workers at work."""
    registry = CollectorRegistry()
    async with delivering(url, channels, AlertingMetrics(registry), clock=CLOCK, instance="a"):
        yield registry


def fill(url: URL, channels: Channels, alarms: int, *, messages: int = 1) -> None:
    """So many alarms of so many messages, published now."""
    now = [alert_message(str(number), sequence) for sequence in range(messages) for number in range(alarms)]
    filled(url, channels, now, published_ns=CLOCK.now_ns())


def states(url: URL, channel: str) -> list[str]:
    return [row.state for key, row in sorted(rows(url).items()) if key[0] == channel]


async def test_what_a_receiver_gets(url: URL, receiver: Receiver) -> None:
    channels = {"x": webhook(f"{receiver.url}/hook")}
    fill(url, channels, 1, messages=3)
    async with workers(url, channels) as registry:
        await until(
            lambda: registry.get_sample_value("ecgstream_alerting_delivery_seconds_count", {"channel": "x"}) == 3
        )
    assert [json.loads(call.body)["sequence"] for call in receiver.calls] == [0, 1, 2]
    assert len(set(receiver.keys)) == 3
    call = receiver.calls[0]
    assert (call.method, call.path, call.headers["content-type"]) == ("POST", "/hook", "application/json")
    assert abs(int(call.headers["x-ecgstream-published"]) - CLOCK.now_ns()) < 3600e9
    verify(
        SECRET,
        timestamp=call.headers["x-ecgstream-timestamp"],
        signature=call.headers["x-ecgstream-signature"],
        body=call.body,
        now_s=CLOCK.now_ns() / 1e9,
        window_s=3600,
    )
    assert states(url, "x") == ["done"] * 3


async def test_a_dead_and_a_slow_channel_hold_nobody_up(
    sqlite: URL, receiver: Receiver, slow_server: tuple[Receiver, threading.Event]
) -> None:
    slow, free = slow_server
    channels = {"good": webhook(receiver.url), "slow": webhook(slow.url, timeout_s=60), "dead": webhook()}
    fill(sqlite, channels, 40)
    async with workers(sqlite, channels) as registry:
        await until(lambda: len(receiver.calls) == 40)
        assert slow.calls == []
        labels = {"channel": "dead", "outcome": "failed"}
        await until(lambda: (registry.get_sample_value("ecgstream_alerting_deliveries_total", labels) or 0) > 3)
        tried = [row.attempts for key, row in rows(sqlite).items() if key[0] == "dead"]
        assert sorted(tried)[:39] == [0] * 39, "a dead channel is tried with one message, not hammered with all"
        free.set()
        await until(lambda: len(slow.calls) == 40)
    assert states(sqlite, "good") == ["done"] * 40
    assert states(sqlite, "dead") == ["waiting"] * 40


async def test_a_channel_that_comes_back_gets_all_in_order(sqlite: URL, receiver: Receiver) -> None:
    left = iter([503, 500, 401, 429, 302, 409, 408])
    receiver.answer = lambda _: next(left, 200)
    channels = {"x": webhook(receiver.url)}
    fill(sqlite, channels, 2, messages=3)
    async with workers(sqlite, channels):
        await until(lambda: states(sqlite, "x") == ["done"] * 6)
    taken: dict[str, list[int]] = defaultdict(list)
    for call in receiver.calls[7:]:
        alert = json.loads(call.body)
        taken[alert["id"]].append(alert["sequence"])
    assert list(taken.values()) == [[0, 1, 2]] * 2


async def test_retry_after_is_kept_to(sqlite: URL, receiver: Receiver) -> None:
    receiver.answer = lambda _: 503
    receiver.extra = {"Retry-After": "3000"}
    channels = {"x": webhook(receiver.url)}
    fill(sqlite, channels, 2)
    async with workers(sqlite, channels) as registry:
        labels = {"channel": "x", "outcome": "failed"}
        await until(lambda: registry.get_sample_value("ecgstream_alerting_deliveries_total", labels) == 1)
    (tried,) = [row for row in rows(sqlite).values() if row.attempts]
    assert 2900 < (tried.next_try_ns - CLOCK.now_ns()) / 1e9 <= 3000
    assert len(receiver.calls) == 1


async def test_what_is_refused_is_dead_at_once_and_the_next_goes_on(sqlite: URL, receiver: Receiver) -> None:
    receiver.answer = lambda call: 422 if json.loads(call.body)["sequence"] == 0 else 200
    channels = {"x": webhook(receiver.url)}
    fill(sqlite, channels, 1, messages=2)
    async with workers(sqlite, channels) as registry:
        await until(lambda: states(sqlite, "x") == ["dead", "done"])
        labels = {"channel": "x", "outcome": "dead"}
        await until(lambda: registry.get_sample_value("ecgstream_alerting_deliveries_total", labels) == 1)
    assert rows(sqlite)["x", "p1/0", 0].error == f"{receiver.url} answers 422"


async def test_couriers_wait_for_a_database_that_is_not_there_yet(sqlite: URL, receiver: Receiver) -> None:
    channels = {"x": webhook(receiver.url)}
    async with workers(sqlite, channels):
        await asyncio.sleep(0)
        assert not receiver.calls
        fill(sqlite, channels, 1)
        await until(lambda: states(sqlite, "x") == ["done"])
    assert len(receiver.calls) == 1


class KilledError(BaseException):
    """The process ends here."""


async def test_killed_at_any_moment_everything_arrives_and_what_comes_twice_has_its_key(
    url: URL, receiver: Receiver
) -> None:
    seeded = random.Random(11)
    channels = {"x": webhook(receiver.url)}
    fill(url, channels, 6, messages=3)
    kills = 0
    while set(states(url, "x")) != {"done"}:
        box = Outbox(url, "x", channels["x"], holder="a")
        sender = channels["x"].sender("x", clock=CLOCK, database=url)
        left = seeded.randint(0, 8)

        def dying(work: Callable[..., object]) -> Callable[..., object]:
            def step(*arguments: object, **named: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    raise KilledError
                return work(*arguments, **named)

            return step

        metrics = AlertingMetrics(CollectorRegistry())
        for name in ("claim", "delivered"):
            setattr(box, name, dying(getattr(box, name)))
        worker = DeliveryWorker(box, Dying(sender.send, dying), "x", channels["x"], metrics, clock=CLOCK)
        with pytest.raises(KilledError):
            await worker.run()
        sender.close()
        kills += 1
    assert kills > 3
    messages = [(json.loads(call.body)["id"], json.loads(call.body)["sequence"]) for call in receiver.calls]
    assert len(set(messages)) == 18
    assert len(messages) > 18, "no kill fell between sending and noting: choose another seed"
    assert len(set(zip(messages, receiver.keys, strict=True))) == len(set(receiver.keys)) == 18
    firsts = list(dict.fromkeys(messages))
    for alarm in {alarm for alarm, _ in firsts}:
        assert [sequence for which, sequence in firsts if which == alarm] == [0, 1, 2]


class Dying:
    """A sender whose process may end while it sends."""

    def __init__(self, send: Callable[..., object], dying: Callable[..., Callable[..., object]]) -> None:
        self._send = dying(send)

    def send(self, delivery: Delivery) -> None:
        self._send(delivery)

    def close(self) -> None:
        pass


SECRETS = ("hunter2-hunter2-hunter2", "t0ken-in-the-path", "passw0rd")


@pytest.mark.parametrize("status", [None, 302, 401, 422, 500])
async def test_no_secret_is_ever_told(
    sqlite: URL, receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int | None
) -> None:
    caplog.set_level(logging.DEBUG)
    server = receiver.url if status else "http://127.0.0.1:9"
    receiver.answer = lambda _: status or 200
    receiver.extra = {"Location": "http://127.0.0.1:9/t0ken-in-the-path"} if status == 302 else {}
    with_user = server.replace("://", "://user:passw0rd@")
    hook = webhook(f"{with_user}/t0ken-in-the-path?k=passw0rd", secret=SECRETS[0])
    channels: dict[str, Channel] = {
        "hook": hook,
        "chat": _apprise(f"{with_user.replace('http', 'json')}/t0ken-in-the-path?k=passw0rd"),
        "records": _fhir(f"{with_user}/t0ken-in-the-path", token=SECRETS[0]),
    }
    fill(sqlite, channels, 1)
    with structlog.testing.capture_logs() as logs:
        async with workers(sqlite, channels):
            await until(lambda: all(row.error for row in rows(sqlite).values()))
    errors = [row.error for row in rows(sqlite).values()]
    said = caplog.text + repr(logs) + repr(errors) + repr(channels)
    assert "127.0.0.1" in said
    assert [secret for secret in SECRETS if secret in said] == []


def _apprise(url: str) -> Channel:
    return AppriseChannel.model_validate(
        {"kind": "apprise", "url": url, "min_priority": "low", "retry_s": 0.01, "retry_max_s": 0.05}
    )


def _fhir(url: str, *, token: str) -> Channel:
    return FhirChannel.model_validate(
        {"kind": "fhir", "url": url, "token": token, "retry_s": 0.01, "retry_max_s": 0.05}
    )
