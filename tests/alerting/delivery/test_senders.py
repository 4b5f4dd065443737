"""Messages of each kind of channel, on real servers and files."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from fhir.resources.R4B.observation import Observation
from sqlalchemy import URL

from alerting.database.engine import address
from alerting.delivery.apprise_channel import AppriseChannel
from alerting.delivery.fhir_channel import LOOKED_BACK, FhirChannel
from alerting.delivery.http import judge_answer
from alerting.delivery.sending import ChannelDownError, Delivery, RefusedMessageError, SendError
from alerting.fhir import resource_id
from alerting.history.store import AlarmStore
from alerting.strips.alarm_strip import AlarmStrip
from alerting.strips.store import StripStore
from bus.messages import Alert
from ops.clock import SystemClock
from tests.alerting.delivery.boxes import NOW_NS, alert_message, filled, webhook
from tests.alerting.fhir_reading import alert_of, strip_of
from tests.alerting.history.entries import CLUSTER
from tests.support.receiver import Receiver, receiving

CLOCK = SystemClock()
TLS = Path(__file__).resolve().parents[2] / "support" / "tls"


@pytest.fixture
def database(tmp_path: Path) -> URL:
    """A history without alarms."""
    url = address(f"sqlite:///{tmp_path}/alarms.sqlite")
    store = AlarmStore(url, cluster=CLUSTER)
    store.open()
    store.close()
    return url


def delivery(alert: Alert, *, channel: str = "x") -> Delivery:
    """A message on its way."""
    return Delivery(
        id=1,
        channel=channel,
        alarm=alert.id,
        sequence=alert.sequence,
        attempts=1,
        queued_ns=NOW_NS,
        published_ns=NOW_NS,
        message=alert.to_bytes().decode(),
    )


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (200, None),
        (204, None),
        (302, ChannelDownError),
        (400, RefusedMessageError),
        (401, ChannelDownError),
        (403, ChannelDownError),
        (404, ChannelDownError),
        (408, SendError),
        (409, SendError),
        (410, RefusedMessageError),
        (413, RefusedMessageError),
        (422, RefusedMessageError),
        (425, SendError),
        (429, ChannelDownError),
        (500, SendError),
        (502, ChannelDownError),
        (503, ChannelDownError),
        (504, ChannelDownError),
        (599, SendError),
    ],
)
def test_what_an_answer_means(status: int, error: type[SendError] | None) -> None:
    if error is None:
        judge_answer(status, retry_after=None, server="s")
        return
    with pytest.raises(SendError, match=f"s answers {status}") as judged:
        judge_answer(status, retry_after=None, server="s")
    assert type(judged.value) is error


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("7", 7.0),
        ("86400", 3600.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("\u0667", None),
    ],
)
def test_how_long_a_server_asks_to_be_left_alone(header: str | None, expected: float | None) -> None:
    with pytest.raises(ChannelDownError) as judged:
        judge_answer(503, retry_after=header, server="s")
    assert judged.value.retry_after_s == expected


def test_a_server_that_does_not_answer_in_time(receiver: Receiver, database: URL) -> None:
    free = threading.Event()
    receiver.answer = lambda _: 200 if free.wait(60) else 500
    sender = webhook(receiver.url, timeout_s=0.1).sender("x", clock=CLOCK, database=database)
    with pytest.raises(ChannelDownError, match="does not answer: timed out"):
        sender.send(delivery(alert_message("a")))
    free.set()
    sender.close()


def test_a_server_is_believed_by_its_certificate_alone(database: URL) -> None:
    with receiving(TLS / "broker.pem") as server:
        for ca, taken in (("ca.pem", True), ("other-ca.pem", False), (None, False)):
            channel = webhook(server.url, ca_file=None if ca is None else TLS / ca)
            sender = channel.sender("x", clock=CLOCK, database=database)
            if taken:
                sender.send(delivery(alert_message("a")))
            else:
                with pytest.raises(ChannelDownError, match="CERTIFICATE_VERIFY_FAILED"):
                    sender.send(delivery(alert_message("a")))
            sender.close()
        assert len(server.calls) == 1


def test_apprise_tells_an_alarm_in_words(receiver: Receiver, database: URL) -> None:
    channel = AppriseChannel.model_validate({"kind": "apprise", "url": receiver.url.replace("http", "json")})
    sender = channel.sender("x", clock=CLOCK, database=database)
    asystole = alert_message(
        "a",
        priority="high",
        condition="asystole",
        label="asystole",
        value=5.25,
        limit=4.0,
        unit="s",
        reasons=tuple(f"reason {number}" for number in range(7)),
    )
    sender.send(delivery(asystole))
    sender.send(
        delivery(alert_message("a", 1, priority="low", phase="end", state="inactive", end_ns=asystole.onset_ns))
    )
    sender.close()
    first, last = (json.loads(call.body) for call in receiver.calls)
    assert (first["title"], first["type"]) == ("HIGH asystole, p1", "failure")
    assert first["message"].splitlines() == [
        "asystole: physiological alarm, priority high, active",
        "patient p1, device holter, lead MLII",
        "since 2023-11-14 22:13:20 UTC",
        "measured 5.25 s, limit 4",
        "heart rate 72/min",
        "reason 0; reason 1; reason 2; reason 3; reason 4; 2 more",
        "alarm p1/a",
        "ecgstream, not a medical device",
    ]
    assert (last["title"], last["type"]) == ("LOW ended: abnormal ECG, p1", "info")
    assert "ended 2023-11-14 22:13:20 UTC" in last["message"]


def test_apprise_that_fails_says_what_it_may(receiver: Receiver, database: URL) -> None:
    receiver.answer = lambda _: 500
    url = f"{receiver.url.replace('http', 'json')}/t0ken"
    channel = AppriseChannel.model_validate({"kind": "apprise", "url": url})
    sender = channel.sender("x", clock=CLOCK, database=database)
    with pytest.raises(SendError, match=r"did not take it: .*500") as failed:
        sender.send(delivery(alert_message("a")))
    assert "t0ken" not in str(failed.value)


def test_a_server_gets_one_resource_for_an_alarm_and_its_strip_once_there_is_one(
    receiver: Receiver, database: URL
) -> None:
    channel = FhirChannel.model_validate({"kind": "fhir", "url": f"{receiver.url}/r4/", "token": "t0ken"})
    sender = channel.sender("x", clock=CLOCK, database=database)
    start, end = (
        alert_message("a"),
        alert_message("a", 1, phase="end", state="inactive", end_ns=alert_message("a").last_ns),
    )
    filled(database, {}, [start, end])
    sender.send(delivery(start))
    strips = StripStore(database)
    strip = AlarmStrip(
        alarm=start.id,
        patient="p1",
        leads=("MLII",),
        fs_hz=360.0,
        start_ns=start.onset_ns,
        gain=(200.0,),
        baseline=(1024,),
        samples=np.arange(20, dtype=np.int16)[:, None],
    )
    strips.keep(strip)
    strips.close()
    sender.send(delivery(end))
    sender.close()
    for call in receiver.calls:
        assert (call.method, call.path) == ("PUT", f"/r4/Observation/{resource_id(start.id)}")
        assert call.headers["content-type"] == "application/fhir+json"
        assert call.headers["authorization"] == "Bearer t0ken"
    first, last = (Observation.model_validate_json(call.body) for call in receiver.calls)
    assert (first.status, last.status) == ("preliminary", "final")
    assert (alert_of(first), alert_of(last)) == (start, end)
    assert strip_of(first) is None
    kept = strip_of(last)
    assert kept is not None
    np.testing.assert_array_equal(kept.samples, strip.samples)


def test_a_file_gets_each_message_once_whatever_a_crash_left_behind(tmp_path: Path, database: URL) -> None:
    file = tmp_path / "alarms.ndjson"
    channel = FhirChannel.model_validate({"kind": "fhir", "file": str(file)})
    sender = channel.sender("x", clock=CLOCK, database=database)
    messages = [alert_message("a"), alert_message("b"), alert_message("a", 1)]
    sender.send(delivery(messages[0]))
    sender.send(delivery(messages[1]))
    whole = file.read_bytes()
    sender.send(delivery(messages[0]))  # noted too late: it is sent again
    assert file.read_bytes() == whole
    sender.send(delivery(messages[2]))
    three = file.read_bytes()
    for cut in (1, 20, 40, len(three) - len(whole) - 1, len(three) - len(whole)):
        file.write_bytes(three[:-cut])
        sender.send(delivery(messages[2]))
        assert [alert_of(Observation.model_validate_json(line)) for line in file.read_text().splitlines()] == messages
    file.rename(tmp_path / "alarms.1")
    sender.send(delivery(alert_message("c")))
    assert file.read_bytes().count(b"\n") == 1
    assert file.stat().st_mode & 0o077 == 0, "alarms are for their owner alone"
    sender.close()


def test_a_long_file_is_searched_at_its_end_alone(tmp_path: Path, database: URL) -> None:
    file = tmp_path / "alarms.ndjson"
    sender = FhirChannel.model_validate({"kind": "fhir", "file": str(file)}).sender("x", clock=CLOCK, database=database)
    filler = b'{"resourceType":"Observation"' + b" " * 1000 + b"}\n"
    file.write_bytes(filler * (LOOKED_BACK // 500))
    size = file.stat().st_size
    for _ in range(2):
        sender.send(delivery(alert_message("a")))
        assert file.read_bytes()[:size] == filler * (LOOKED_BACK // 500)
        assert file.read_bytes()[size:].count(b"\n") == 1
    sender.close()


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, database: URL) -> None:
    file = tmp_path / "letter.txt"
    file.write_text("Dear Ada,\nthis has no end")
    sender = FhirChannel.model_validate({"kind": "fhir", "file": str(file)}).sender("x", clock=CLOCK, database=database)
    with pytest.raises(ChannelDownError, match=r"letter\.txt holds something else: name a file of its own"):
        sender.send(delivery(alert_message("a")))
    assert file.read_text() == "Dear Ada,\nthis has no end"
    sender.close()


def test_a_file_that_cannot_be_written_is_tried_again(tmp_path: Path, database: URL) -> None:
    channel = FhirChannel.model_validate({"kind": "fhir", "file": str(tmp_path / "none" / "alarms.ndjson")})
    sender = channel.sender("x", clock=CLOCK, database=database)
    with pytest.raises(ChannelDownError, match="cannot be written: No such file or directory"):
        sender.send(delivery(alert_message("a")))
    sender.close()


def test_a_message_of_another_release_is_refused(tmp_path: Path, database: URL) -> None:
    channel = FhirChannel.model_validate({"kind": "fhir", "file": str(tmp_path / "alarms.ndjson")})
    sender = channel.sender("x", clock=CLOCK, database=database)
    old = delivery(alert_message("a"))
    with pytest.raises(RefusedMessageError, match="of another release"):
        sender.send(
            Delivery(
                id=old.id,
                channel=old.channel,
                alarm=old.alarm,
                sequence=old.sequence,
                attempts=1,
                queued_ns=0,
                published_ns=0,
                message=old.message.replace('"schema_version":2', '"schema_version":1'),
            )
        )
    sender.close()
