"""Messages that the hub takes off the topics, and what it leaves."""

import pytest
from prometheus_client import CollectorRegistry

from bus.interfaces import Received
from bus.partitioning import partition_of
from bus.samples import Chunk, encode
from bus.settings import KafkaSettings
from bus.testing import FakeClock
from tests.alerting.alerts import alert
from tests.alerting.verdicts import verdict
from tests.web.live.chunks import chunk
from web.live.broadcaster import KINDS, Listener
from web.live.hub import Hub
from web.live.registry import PatientRegistry
from web.metrics import WebMetrics

NOW_MS = 1_700_000_100_000
PARTITIONS = 4


class Taking:
    """A hub that reads nothing, and is handed messages."""

    def __init__(self, ward: PatientRegistry | None = None) -> None:
        self.registry = CollectorRegistry()
        kafka = KafkaSettings(_env_file=None, bootstrap_servers="127.0.0.1:1")
        self.metrics = WebMetrics(self.registry)
        self.hub = Hub(kafka, self.metrics, FakeClock(), ward=ward)
        self.hub._samples.positions.update({("ecg.samples", number): 0 for number in range(PARTITIONS)})
        self.hub._verdicts.caught_up.set()
        self.offset = 0

    def samples(self, one: Chunk, *, partition: int | None = None, value: bytes | None = None) -> None:
        key = one.patient.encode()
        there = partition_of(key, PARTITIONS) if partition is None else partition
        self.hub._take_samples(self.received("ecg.samples", key, encode(one) if value is None else value, there))

    def received(self, topic: str, key: bytes, value: bytes | None, partition: int = 0) -> Received:
        self.offset += 1
        return Received(topic=topic, partition=partition, offset=self.offset, timestamp_ms=NOW_MS, key=key, value=value)

    def counted(self, name: str) -> float:
        return self.registry.get_sample_value(f"ecgstream_web_{name}_total") or 0.0


def test_messages_in_another_partition_and_those_that_are_none_are_counted_and_left() -> None:
    taking = Taking()
    there = partition_of(b"p1", PARTITIONS)
    taking.samples(chunk(0, 90), partition=(there + 1) % PARTITIONS)
    taking.samples(chunk(0, 90), value=b"nonsense")
    assert taking.hub.ward.patients == {}
    taking.samples(chunk(0, 90))
    assert set(taking.hub.ward.patients) == {"p1"}
    assert (taking.counted("misplaced_messages"), taking.counted("unreadable_messages")) == (1, 1)


def test_ids_without_end_are_refused_counted_and_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    taking = Taking(PatientRegistry(most=10))
    for number in range(50):
        taking.samples(chunk(0, 90, patient=f"p{number}"))
        value = verdict(0, "normal", patient=f"p{number}").to_bytes()
        taking.hub._take_verdict(taking.received("ecg.windows", b"", value))
    assert len(taking.hub.ward.patients) == 10
    assert taking.counted("refused_patient_messages") == 80
    assert capsys.readouterr().out.count("too_many_patients") == 1


async def test_an_alarm_that_the_topic_holds_no_more_is_gone_for_who_has_it_open() -> None:
    taking = Taking()
    listener = Listener(taking.metrics, None, KINDS, taking.hub.events.positions.copy())
    taking.hub.events.listeners.add(listener)
    one = alert()
    taking.hub._take_alert(taking.received("ecg.alerts", one.id.encode(), one.to_bytes()))
    assert [each.id for each in taking.hub.ward.open_alarms()] == [one.id]
    taking.hub._take_alert(taking.received("ecg.alerts", one.id.encode(), None))
    assert taking.hub.ward.open_alarms() == []
    sent = await listener.next()
    assert sent is not None
    assert sent.count(b"event: alarm") == 2
    assert b'"phase":"end"' in sent
    assert b'"state":"inactive"' in sent
    # As a rule its end was told before, and of what nobody knew nobody need hear.
    for key in (one.id.encode(), b"p9/1/1/x", b"\xff", b""):
        taking.hub._take_alert(taking.received("ecg.alerts", key, None))
    assert listener.depth == 0
