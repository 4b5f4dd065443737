"""Verdicts as messages in, alerts and progress as messages out; crashes at any moment."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from alerting.metrics import AlertingMetrics
from alerting.progress import PARTITION_KEY, BadProgressError
from alerting.settings import AlertingSettings
from alerting.transform import NOTE_EVERY, AlertingTransform
from bus import topics
from bus.dead_letters import DeadLetterFloodError
from bus.interfaces import Headers, Outgoing, Received
from bus.messages import Alert, DeadLetter, Decision, Verdict
from tests.alerting.verdicts import verdict


class Bench:
    """A transform, its registry, and what a runner would have committed."""

    def __init__(self) -> None:
        self.committed: list[Outgoing] = []
        self.progress: dict[bytes, bytes] = {}
        self.open()

    def open(self) -> int:
        """Start anew with what is committed; the offset to read from."""
        self.registry = CollectorRegistry()
        self.transform = AlertingTransform(AlertingSettings(), AlertingMetrics(self.registry))
        return self.transform.open(0, self.progress) or 0

    def process(self, messages: Sequence[Received]) -> list[Outgoing]:
        return list(asyncio.run(self.transform.process({0: messages}))[0])

    def commit(self, out: Sequence[Outgoing]) -> None:
        self.transform.committed(out)
        for message in out:
            self.committed.append(message)
            if message.topic == topics.ALERTING_PROGRESS:
                assert message.key is not None
                if message.value is None:
                    self.progress.pop(message.key, None)
                else:
                    self.progress[message.key] = message.value

    def sent(self, topic: str) -> list[Outgoing]:
        return [message for message in self.committed if message.topic == topic]

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"ecgstream_alerting_{name}", labels)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def received(offset: int, each: Verdict | bytes | None, *, key: bytes | None = b"", headers: Headers = ()) -> Received:
    if isinstance(each, Verdict):
        value: bytes | None = each.to_bytes()
        key = each.patient.encode() if key == b"" else key
    else:
        value = each
    return Received(
        topic="ecg.windows", partition=0, offset=offset, timestamp_ms=0, key=key, value=value, headers=headers
    )


def messages(*verdicts: Verdict) -> list[Received]:
    return [received(offset, each) for offset, each in enumerate(verdicts)]


def test_alerts_are_keyed_by_id_and_carry_their_verdicts_headers(bench: Bench) -> None:
    headers = (("ecgstream-ingest-ms", b"5"),)
    bench.commit(
        bench.process(
            [
                received(0, verdict(0, "abnormal")),
                received(1, verdict(1, "abnormal"), headers=headers),
            ]
        )
    )
    (sent,) = bench.sent(topics.ALERTS)
    assert sent.value is not None
    alert = Alert.model_validate_json(sent.value)
    assert sent.key == alert.id.encode()
    assert alert.phase == "start"
    assert sent.headers == headers


def test_progress_goes_with_every_change(bench: Bench) -> None:
    out = bench.process(messages(verdict(0, "abnormal")))
    assert [message.key for message in out if message.topic == topics.ALERTING_PROGRESS] == [b"p1", PARTITION_KEY]
    bench.commit(out)
    assert bench.open() == 1


def test_a_patient_without_trouble_leaves_no_record(bench: Bench) -> None:
    letters: list[Decision] = ["abnormal", "abnormal", "normal", "normal", "normal"]
    bench.commit(bench.process(messages(*(verdict(w, each) for w, each in enumerate(letters)))))
    assert set(bench.progress) == {PARTITION_KEY}
    assert bench.sent(topics.ALERTING_PROGRESS)[0].value is None, "the record of before is deleted"


def test_verdicts_that_change_nothing_cost_no_transaction_but_are_noted_in_time(bench: Bench) -> None:
    normal = messages(*(verdict(w, "normal") for w in range(NOTE_EVERY)))
    assert bench.process(normal[:-1]) == []
    (note,) = bench.process(normal[-1:])
    bench.commit([note])
    assert bench.open() == NOTE_EVERY


def test_metrics_count_what_is_told(bench: Bench) -> None:
    verdicts = [verdict(w, "abnormal") for w in (0, 1)] + [verdict(2, "unusable")]
    out = bench.process(messages(*verdicts, verdict(0, "abnormal", patient="p2")))
    assert bench.metric("verdicts_total", decision="abnormal") == 3
    started = {"kind": "physiological", "priority": "medium", "phase": "start"}
    assert bench.metric("alerts_total", **started) is None, "what is not committed has not been told"
    bench.commit(out)
    assert bench.metric("transactions_total") == 1
    assert bench.metric("alerts_total", **started) == 1
    assert bench.metric("open_alerts", kind="physiological") == 1
    assert bench.metric("open_alerts", kind="technical") == 0
    assert bench.metric("patients") == 2
    bench.transform.close(0)
    assert bench.metric("open_alerts", kind="physiological") == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (received(0, None), "the message is empty"),
        (received(0, b""), "the message is empty"),
        (received(0, b"{"), "no verdict of schema version 1: the message: Invalid JSON"),
        (received(0, b"\xff\xfe"), "no verdict of schema version 1"),
        (received(0, b"[]"), "no verdict of schema version 1"),
        (received(0, b'{"schema_version": 2}'), "schema_version: Input should be 1"),
        (received(0, verdict(0, "abnormal").to_bytes().replace(b'"p1"', b'""')), "patient: String should match"),
        (received(0, verdict(0, "abnormal"), key=b"p2"), "the key b'p2' is not the patient 'p1'"),
        (received(0, verdict(0, "abnormal"), key=None), "the key None is not the patient 'p1'"),
    ],
    ids=lambda each: "" if isinstance(each, Received) else each[:30],
)
def test_poison_becomes_a_dead_letter_and_the_stream_goes_on(bench: Bench, bad: Received, reason: str) -> None:
    bench.commit(bench.process([bad, *(received(1 + w, verdict(w, "abnormal")) for w in (0, 1))]))
    (sent,) = bench.sent(topics.DEAD_LETTERS)
    assert sent.value is not None
    letter = DeadLetter.model_validate_json(sent.value)
    assert reason in letter.reason
    assert letter.service == "alerting"
    assert len(bench.sent(topics.ALERTS)) == 1
    assert bench.metric("dead_letters_total") == 1
    assert bench.open() == 3


def test_a_flood_of_poison_stops_the_service(bench: Bench) -> None:
    with pytest.raises(DeadLetterFloodError):
        bench.process([received(offset, b"x") for offset in range(2000)])


@pytest.mark.parametrize("record", [b"", b"{}", b'{"schema_version": 2, "next_offset": 1}', b'{"next_offset": -1}'])
@pytest.mark.parametrize("key", [PARTITION_KEY, b"p1"])
def test_a_progress_record_of_another_release_is_refused(bench: Bench, key: bytes, record: bytes) -> None:
    with pytest.raises(BadProgressError, match=r"delete the topic ecg\.alerting-progress"):
        bench.transform.open(0, {key: record})


@given(st.data())
def test_crashes_and_batches_of_any_size_change_nothing_that_is_committed(data: st.DataObject) -> None:
    decisions: dict[str, list[Decision]] = data.draw(
        st.dictionaries(
            st.sampled_from(["p1", "p2"]),
            st.lists(st.sampled_from(["normal", "abnormal", "abnormal", "unusable"]), max_size=25),
        )
    )
    verdicts = sorted(
        (verdict(w, each, patient=who) for who, letters in decisions.items() for w, each in enumerate(letters)),
        key=lambda each: (each.window, each.patient),
    )
    log = messages(*verdicts)

    undisturbed = Bench()
    if log:
        undisturbed.commit(undisturbed.process(log))

    disturbed = Bench()
    offset = 0
    pending: list[Outgoing] = []
    for _ in range(200):
        if offset >= len(log):
            break
        size = data.draw(st.integers(1, 5), label="batch")
        pending += disturbed.process(log[offset : offset + size])
        offset += size
        match data.draw(st.sampled_from(["commit", "commit", "wait", "crash"]), label="then"):
            case "commit":
                disturbed.commit(pending)
                pending = []
            case "crash":
                offset, pending = disturbed.open(), []
    else:
        offset = disturbed.open()
        pending = disturbed.process(log[offset:]) if offset < len(log) else []
    disturbed.commit(pending)
    assert disturbed.sent(topics.ALERTS) == undisturbed.sent(topics.ALERTS)
    mine, theirs = dict(disturbed.progress), dict(undisturbed.progress)
    mine.pop(PARTITION_KEY, None)
    theirs.pop(PARTITION_KEY, None)
    assert mine == theirs
