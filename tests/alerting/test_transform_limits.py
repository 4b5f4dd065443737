"""Alerting's limits: patients, partitions, what stays on the topic, and letters that it reads and writes."""

import asyncio
import json
from pathlib import Path

import pytest

from alerting.policy import UNKNOWN
from alerting.progress import PARTITION_KEY
from alerting.transform import MAX_UNHEARD, Limits
from bus import topics
from bus.interfaces import Received
from bus.messages import Alert, DeadLetter
from bus.partitioning import partition_of
from tests.alerting.test_refusals import letter
from tests.alerting.test_transform import Bench, at_once, command, messages, received
from tests.alerting.verdicts import START_NS, urgent, verdict

OLD = Path(__file__).parent / "data" / "progress-2.json"
LETTERS = topics.DEAD_LETTERS


def as_received(offset: int, each: DeadLetter, *, late_s: float = 0.0) -> Received:
    at_ms = START_NS // 10**6 - round(late_s * 1000)
    return Received(topic=LETTERS, partition=0, offset=offset, timestamp_ms=at_ms, key=b"p1", value=each.to_bytes())


def letters(bench: Bench) -> list[DeadLetter]:
    return [DeadLetter.model_validate_json(message.value or b"") for message in bench.sent(topics.DEAD_LETTERS)]


def test_what_the_detector_refused_alarms_and_our_own_letters_do_not() -> None:
    bench = Bench()
    own = letter(0, count=99).model_copy(update={"service": "alerting"})
    nobodys = letter(1, count=99, patient=None)
    bench.commit(
        bench.process([as_received(0, own), as_received(1, nobodys), as_received(2, own)._replace(value=b"{")])
    )
    assert bench.committed == []
    bench.commit(bench.process([as_received(3, letter(0, count=99), late_s=601), as_received(4, letter(0, count=99))]))
    (alert,) = bench.alerts()
    assert (alert.condition, alert.patient, alert.device) == ("input_refused", "p1", UNKNOWN)
    bench.open()
    assert bench.transform.side_offset(0, topics.DEAD_LETTERS) == 5


def test_of_patients_who_are_known_from_letters_alone_some_are_followed() -> None:
    bench = Bench()
    bench.process([as_received(n, letter(n, patient=f"p{n}")) for n in range(3 * MAX_UNHEARD)])
    bench.wait(1.0)
    assert bench.metric("patients") == MAX_UNHEARD
    for _ in range(130):  # ten minutes without another
        bench.wait(5.0)
    assert bench.metric("patients") == 0


def test_patients_beyond_the_limit_are_refused_with_its_reason_and_all_others_go_on() -> None:
    bench = Bench(Limits(max_patients=2))
    log = [received(n, verdict(0, "normal", patient=f"p{n}")) for n in range(4)]
    bench.commit(bench.process([*log, received(4, verdict(1, "normal", patient="p1")), at_once(0, urgent(8))]))
    refused = letters(bench)
    assert [(each.patient, each.code) for each in refused] == [
        ("p2", "too_many_patients"),
        ("p3", "too_many_patients"),
    ]
    assert "ECGSTREAM_ALERTING_MAX_PATIENTS" in refused[0].reason
    bench.wait(1.0)
    assert (bench.metric("patients"), bench.metric("patients_limit")) == (2, 2)
    assert bench.metric("refused_messages_total", code="too_many_patients") == 2


@pytest.mark.parametrize("of", ["verdict", "urgent", "command"])
def test_a_message_in_another_partition_than_its_keys_is_refused(of: str) -> None:
    bench = Bench(Limits(partitions=4))
    home = partition_of(b"p1", 4)
    each = {"verdict": received(0, verdict(0, "normal")), "urgent": at_once(0, urgent(8)), "command": command(0)}[of]
    away = each._replace(partition=(home + 1) % 4)
    bench.commit(bench.process([away]))
    (refused,) = letters(bench)
    assert (refused.code, refused.patient) == ("wrong_partition", "p1")
    assert "partitioner=murmur2_random" in refused.reason
    assert f"belongs in partition {home} of 4" in refused.reason
    assert bench.sent(topics.DEAD_LETTERS)[0].partition == home, "where the patient's other messages are"
    assert bench.alerts() == []


def test_an_alarm_that_ended_leaves_the_topic_after_its_time_once() -> None:
    bench = Bench(Limits(ended_retention_ms=60_000))
    bench.commit(bench.process(messages(*(verdict(w, "abnormal" if w < 2 else "normal") for w in range(26)))))
    start, end = bench.alerts()
    assert (start.phase, end.phase) == ("start", "end")
    bench.open()
    for window in range(26, 50):
        bench.commit(bench.wait(5.0))
        bench.commit(bench.process([received(window, verdict(window, "normal"))]))
    removed = [message for message in bench.sent(topics.ALERTS) if message.value is None]
    assert [message.key for message in removed] == [end.id.encode()]
    assert not [key for key in bench.progress if key.startswith(b"/ended/")]


def test_the_progress_of_the_release_before_is_read_and_goes_on() -> None:
    records = {key.encode(): value.encode() for key, value in json.loads(OLD.read_text()).items()}
    assert json.loads(records[b"p1"])["schema_version"] == 2
    bench = Bench()
    bench.progress = dict(records)
    assert bench.open() == 5
    assert bench.transform.side_offset(0, topics.URGENT) == 1
    assert bench.process([received(5, verdict(3, "abnormal"))]) == [], "it was judged"
    assert bench.process([received(6, verdict(4, "unusable", flags=("lead_off",)))]) == []
    published = bench.process([received(7, verdict(5, "unusable", flags=("lead_off",)))])
    alert = Alert.model_validate_json(published[0].value or b"")
    assert (alert.condition, alert.state, alert.silenced_by) == ("lead_off", "silenced", "Ada")
    assert {json.loads(message.value or b"")["schema_version"] for message in published if message.key == b"p1"} == {3}
    bench.commit(published)
    assert bench.open() == 8
    assert PARTITION_KEY in bench.progress


def test_looking_at_who_is_silent_costs_no_look_at_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()
    bench.process([received(n, verdict(0, "normal", patient=f"p{n}")) for n in range(500)])
    asked: list[str] = []
    plain = bench.transform._due_s  # what a turn costs is not seen from outside

    def counted(ward: object, patient: str) -> float:
        asked.append(patient)
        return plain(ward, patient)  # type: ignore[arg-type] # whatever it is

    monkeypatch.setattr(bench.transform, "_due_s", counted)
    for _ in range(9):
        asyncio.run(bench.clock.advance(1.0))
        bench.process([])
    assert asked == [], "nobody is silent yet"
