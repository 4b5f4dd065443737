"""Verdicts as messages in, alerts and progress as messages out; crashes at any moment."""

import asyncio
import math
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from alerting.metrics import AlertingMetrics
from alerting.progress import PARTITION_KEY, BadProgressError
from alerting.rules import load_rules
from alerting.transform import IDLE_S, NOTE_EVERY, AlertingTransform, Limits
from bus import topics
from bus.interfaces import Headers, Outgoing, Received
from bus.messages import Alert, AlertCommand, DeadLetter, Decision, Urgent, Verdict
from bus.progress_store import ProgressRecord
from bus.testing import FakeClock
from tests.alerting.verdicts import START_NS, urgent, verdict

RULES = load_rules()
NOW_MS = START_NS // 10**6 + 3600_000  # whatever comes, the broker took it within the hour


def stored(progress: Mapping[bytes, bytes]) -> dict[bytes, ProgressRecord]:
    """Progress records as a runner reads them."""
    return {key: ProgressRecord(offset=n, value=value) for n, (key, value) in enumerate(progress.items())}


class Bench:
    """A transform, its registry, and what a runner would have committed."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits
        self.committed: list[Outgoing] = []
        self.progress: dict[bytes, bytes] = {}
        self.clock = FakeClock()
        self.open()

    def open(self) -> int:
        """Start anew with what is committed; the offset to read from."""
        self.registry = CollectorRegistry()
        self.transform = AlertingTransform(RULES, AlertingMetrics(self.registry), self.clock, limits=self.limits)
        return self.transform.open(0, stored(self.progress)) or 0

    def process(self, messages: Sequence[Received]) -> list[Outgoing]:
        return list(asyncio.run(self.transform.process({0: messages} if messages else {})).get(0, ()))

    def wait(self, seconds: float) -> list[Outgoing]:
        """Let time pass in which nothing comes, turn by turn of the loop."""
        out = []
        for _ in range(math.ceil(seconds)):
            asyncio.run(self.clock.advance(seconds / math.ceil(seconds)))
            out += self.process([])
        return out

    def commit(self, out: Sequence[Outgoing]) -> None:
        self.transform.committed(0, out, range(len(out)))
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

    def alerts(self) -> list[Alert]:
        return [Alert.model_validate_json(message.value) for message in self.sent(topics.ALERTS) if message.value]

    def reasons(self) -> list[str]:
        letters = self.sent(topics.DEAD_LETTERS)
        return [DeadLetter.model_validate_json(message.value or b"").reason for message in letters]

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
        topic="ecg.windows", partition=0, offset=offset, timestamp_ms=NOW_MS, key=key, value=value, headers=headers
    )


def command(offset: int, **fields: object) -> Received:
    """A command as it comes; about the first alarm of p1 unless said otherwise."""
    published = {
        "id": f"c{offset}",
        "patient": "p1",
        "action": "acknowledge",
        "alert": f"p1/{START_NS}/1/abnormal_window",
        "by": "Ada",
        "sent_ns": FakeClock().now_ns(),
    }
    read = AlertCommand.model_validate(published | fields)
    return Received(
        topic="ecg.alert-commands",
        partition=0,
        offset=offset,
        timestamp_ms=NOW_MS,
        key=read.patient.encode(),
        value=read.to_bytes(),
    )


def at_once(offset: int, each: Urgent | bytes | None, *, key: bytes | None = b"p1") -> Received:
    """An urgent message as it comes."""
    value = each.to_bytes() if isinstance(each, Urgent) else each
    return Received(
        topic="ecg.urgent",
        partition=0,
        offset=offset,
        timestamp_ms=NOW_MS,
        key=each.patient.encode() if isinstance(each, Urgent) and key == b"p1" else key,
        value=value,
        headers=(("ecgstream-ingest-ms", b"7"),),
    )


def messages(*verdicts: Verdict) -> list[Received]:
    return [received(offset, each) for offset, each in enumerate(verdicts)]


def test_alerts_are_keyed_by_id_and_carry_their_verdicts_headers(bench: Bench) -> None:
    headers = (
        ("ecgstream-ingest-ms", b"5"),
        ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    )
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


def test_progress_goes_with_what_is_told(bench: Bench) -> None:
    assert bench.process(messages(verdict(0, "abnormal"))) == [], "nothing is told: it can be read again"
    out = bench.process([received(1, verdict(1, "abnormal"))])
    assert [message.key for message in out if message.topic == topics.ALERTING_PROGRESS] == [b"p1", PARTITION_KEY]
    bench.commit(out)
    assert bench.open() == 2
    assert bench.transform.side_offset(0, topics.ALERT_COMMANDS) is None


def test_verdicts_that_change_nothing_cost_no_transaction_but_are_noted_in_time(bench: Bench) -> None:
    normal = messages(*(verdict(w, "normal") for w in range(NOTE_EVERY)))
    assert bench.process(normal[:-1]) == []
    notes = bench.process(normal[-1:])
    assert [note.key for note in notes] == [b"p1", PARTITION_KEY]
    bench.commit(notes)
    assert bench.open() == NOTE_EVERY


def test_a_partition_in_which_nothing_comes_is_noted_whole(bench: Bench) -> None:
    assert bench.process(messages(*(verdict(w, "normal") for w in range(3)))) == []
    bench.commit([out for _ in range(5) for out in bench.wait(IDLE_S / 4)])
    assert bench.open() == 3  # so all of its patients can move to another partition


def test_metrics_count_what_is_told(bench: Bench) -> None:
    verdicts = [verdict(w, "abnormal") for w in (0, 1)] + [verdict(2, "unusable")]
    out = bench.process(messages(*verdicts, verdict(0, "abnormal", patient="p2")))
    assert bench.metric("verdicts_total", decision="abnormal") == 3
    started = {"kind": "physiological", "priority": "low", "phase": "start"}
    assert bench.metric("alerts_total", **started) is None, "what is not committed has not been told"
    bench.commit(out)
    assert bench.metric("transactions_total") == 1
    assert bench.metric("alerts_total", **started) == 1
    bench.commit(bench.wait(1.0))
    assert bench.metric("open_alerts", kind="physiological", priority="low") == 1
    assert bench.metric("open_alerts", kind="technical", priority="low") == 0
    assert bench.metric("patients") == 2
    bench.transform.close(0)
    assert bench.metric("open_alerts", kind="physiological", priority="low") == 0


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
    assert letter.code is not None
    assert bench.metric("dead_letters_total", code=letter.code) == 1
    assert bench.open() == 3


def test_a_flood_of_poison_stops_nothing_and_is_counted(bench: Bench) -> None:
    for first in range(0, 2000, 100):
        bench.commit(bench.process([received(n, b"x", key=b"p1") for n in range(first, first + 100)]))
    bench.commit(bench.process([received(2000 + w, verdict(w, "abnormal")) for w in (0, 1)]))
    letters = [DeadLetter.model_validate_json(sent.value or b"") for sent in bench.sent(topics.DEAD_LETTERS)]
    assert sum(letter.count for letter in letters) == 2000
    assert len(letters) < 30
    assert len(bench.sent(topics.ALERTS)) == 1
    assert bench.open() == 2002


@pytest.mark.parametrize("record", [b"", b"{}", b'{"schema_version": 1, "next_offset": 1}', b'{"next_offset": -1}'])
@pytest.mark.parametrize("key", [PARTITION_KEY, b"p1"])
def test_a_progress_record_of_another_release_is_refused(bench: Bench, key: bytes, record: bytes) -> None:
    with pytest.raises(BadProgressError, match=r"delete the topic ecg\.alerting-progress"):
        bench.transform.open(0, stored({key: record}))


def test_a_command_takes_effect_once_and_is_answered(bench: Bench) -> None:
    bench.commit(bench.process(messages(*(verdict(w, "abnormal") for w in (0, 1)))))
    bench.commit(bench.process([command(0)]))
    assert [(alert.sequence, alert.state, alert.acknowledged_by) for alert in bench.alerts()] == [
        (0, "active", None),
        (1, "acknowledged", "Ada"),
    ]
    assert bench.open() == 2
    assert bench.transform.side_offset(0, topics.ALERT_COMMANDS) == 1
    bench.commit(bench.process([command(1, id="c0"), command(2, by="Bo"), command(3, alert="p1/0/0/pause")]))
    assert len(bench.alerts()) == 2
    assert [reason.partition(":")[0] for reason in bench.reasons()] == [
        "command 'c0' came before",
        f"alarm 'p1/{START_NS}/1/abnormal_window' makes no sound",
        "no alarm 'p1/0/0/pause' is open",
    ]
    assert bench.metric("dead_letters_total", code="command") == 3


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (command(0, patient="p9", alert="p9/0/0/pause"), "nothing is known of patient 'p9'"),
        (command(0, sent_ns=FakeClock().now_ns() + 61 * 10**9), "command 'c0' was sent 61 s from now"),
        (command(0)._replace(key=b"p2"), "the key b'p2' is not the patient 'p1'"),
        (command(0)._replace(value=b"{}"), "no command of schema version 1"),
        (command(0)._replace(value=None), "a command is a JSON object"),
    ],
    ids=["unknown patient", "future", "key", "no command", "empty"],
)
def test_a_command_that_cannot_be_done_becomes_a_dead_letter(bench: Bench, message: Received, reason: str) -> None:
    bench.commit(bench.process(messages(*(verdict(w, "abnormal") for w in (0, 1)))))
    bench.commit(bench.process([message]))
    assert reason in bench.reasons()[0]
    assert bench.open() == 2
    assert bench.transform.side_offset(0, topics.ALERT_COMMANDS) == 1, "it is answered once"


def test_what_is_urgent_is_told_with_its_own_place_and_headers(bench: Bench) -> None:
    bench.commit(bench.process([received(0, verdict(0, "normal")), at_once(4, urgent(8))]))
    (alert,) = bench.alerts()
    assert (alert.condition, alert.phase, alert.verdict) == ("asystole", "start", f"p1/{START_NS}/8s")
    assert bench.sent(topics.ALERTS)[0].headers == (("ecgstream-ingest-ms", b"7"),)
    assert bench.open() == 1
    assert bench.transform.side_offset(0, topics.URGENT) == 5
    assert bench.transform.side_offset(0, topics.ALERT_COMMANDS) is None


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (at_once(0, None), "an urgent message is a JSON object"),
        (at_once(0, b"{"), "no urgent message of schema version 1: the message: Invalid JSON"),
        (at_once(0, verdict(0, "abnormal").to_bytes()), "no urgent message of schema version 1"),
        (at_once(0, urgent(8).to_bytes().replace(b'"asystole"', b'"couplet"')), "kind: Input should be 'asystole'"),
        (at_once(0, urgent(8).to_bytes().replace(b'"schema_version":1', b'"schema_version":2')), "schema_version"),
        (at_once(0, urgent(8), key=b"p2"), "the key b'p2' is not the patient 'p1'"),
        (at_once(0, urgent(8), key=None), "the key None is not the patient 'p1'"),
    ],
    ids=["empty", "no json", "a verdict", "no kind", "another schema", "another's key", "no key"],
)
def test_a_poisoned_urgent_message_becomes_a_dead_letter(bench: Bench, bad: Received, reason: str) -> None:
    bench.commit(bench.process([bad, at_once(1, urgent(9))]))
    assert reason in bench.reasons()[0]
    assert [alert.condition for alert in bench.alerts()] == ["asystole"]
    assert bench.transform.side_offset(0, topics.URGENT) == 2


def test_progress_of_the_release_without_urgent_messages_is_read(bench: Bench) -> None:
    before = b'{"schema_version": 2, "next_offset": 7, "next_command": 3}'
    assert bench.transform.open(0, stored({PARTITION_KEY: before})) == 7
    assert bench.transform.side_offset(0, topics.ALERT_COMMANDS) == 3
    assert bench.transform.side_offset(0, topics.URGENT) is None


@given(st.data())
def test_crashes_lose_and_double_nothing_urgent(data: st.DataObject) -> None:
    decisions: list[Decision] = data.draw(st.lists(st.sampled_from(["normal", "abnormal", "unusable"]), max_size=12))
    log = messages(*(verdict(w, each) for w, each in enumerate(decisions)))
    seconds = sorted(data.draw(st.sets(st.integers(4, 60), max_size=6)))
    aside = [at_once(offset, urgent(second)) for offset, second in enumerate(seconds)]
    bench = Bench()
    offset, side, pending = 0, 0, []
    for _ in range(100):
        crash, take = data.draw(st.tuples(st.booleans(), st.integers(0, 3)))
        pending += bench.process([*log[offset : offset + take], *aside[side : side + 3 - take]])
        offset, side = min(len(log), offset + take), min(len(aside), side + 3 - take)
        if crash:
            offset, pending = bench.open(), []
            side = bench.transform.side_offset(0, topics.URGENT) or 0
        elif data.draw(st.booleans()):
            bench.commit(pending)
            pending = []
        if offset == len(log) and side == len(aside):
            break
    bench.commit(pending)
    published = [(alert.id, alert.sequence) for alert in bench.alerts()]
    assert len(set(published)) == len(published)
    started = [alert.condition for alert in bench.alerts() if alert.phase == "start"]
    assert started.count("asystole") == bool(side)


def test_a_silent_patient_and_a_stopped_source_are_told_apart(bench: Bench) -> None:
    bench.process(messages(verdict(0, "normal"), verdict(0, "normal", patient="p2")))
    for window in range(1, 9):  # p2 goes on
        bench.commit(bench.wait(5.0))
        bench.commit(bench.process([received(1 + window, verdict(window, "normal", patient="p2"))]))
    (silent,) = bench.alerts()
    assert (silent.patient, silent.condition, silent.kind) == ("p1", "silent_patient", "technical")
    assert silent.onset_ns == START_NS + 5 * 10**9
    assert silent.told_ns == silent.onset_ns + 30 * 10**9, "when it fell due, not when somebody looked"
    for _ in range(5):
        bench.commit(bench.wait(5.0))
    assert [(alert.patient, alert.condition) for alert in bench.alerts()[1:]] == [("p2", "source_stopped")]
    bench.commit(bench.process([received(10, verdict(9, "normal", patient="p2"))]))
    assert [(alert.patient, alert.phase) for alert in bench.alerts()[2:]] == [("p2", "end")]


def test_a_restarted_service_does_not_take_its_own_absence_for_silence(bench: Bench) -> None:
    bench.commit(bench.process(messages(*(verdict(w, "abnormal") for w in (0, 1)))))
    asyncio.run(bench.clock.advance(3600))
    bench.open()
    bench.commit(bench.wait(5.0))
    assert len(bench.alerts()) == 1
    bench.commit(bench.wait(15.0))
    assert bench.alerts()[-1].condition == "source_stopped"


def test_a_service_that_could_not_listen_does_not_call_its_patients_silent(bench: Bench) -> None:
    bench.commit(bench.process(messages(*(verdict(w, "abnormal") for w in (0, 1)))))
    asyncio.run(bench.clock.advance(3600))  # a machine out of breath, or put to sleep
    bench.commit(bench.process([]))
    bench.commit(bench.wait(5.0))
    assert len(bench.alerts()) == 1
    bench.commit(bench.wait(15.0))
    assert bench.alerts()[-1].condition == "source_stopped"


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
