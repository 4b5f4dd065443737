"""The commands about deliveries and channels, as a person and as a program uses them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fhir.resources.R4B.observation import Observation

from alerting.database.engine import address
from alerting.delivery.channels import load_channels
from bus.messages import Alert
from ops.clock import SystemClock
from tests.alerting.delivery.boxes import SECRET, alert_message, filled, outbox
from tests.alerting.fhir_reading import alert_of
from tests.ecgstream.commands import status_of
from tests.support.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that answers 200."""
    with receiving() as server:
        yield server


@pytest.fixture
def named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> str:
    """A database with a delivery that waits, one that was made and one that is dead; all set in the environment."""
    database = f"sqlite:///{tmp_path}/alarms.sqlite"
    file = tmp_path / "channels.toml"
    file.write_text(
        f'[channels.hook]\nkind = "webhook"\nurl = "{receiver.url}/t0ken"\nsecret = "{SECRET}"\n'
        f'[channels.archive]\nkind = "fhir"\nfile = "{tmp_path}/alarms.ndjson"\nphases = ["end"]\n'
    )
    monkeypatch.setenv("ECGSTREAM_ALERTING_ALARM_DB", database)
    monkeypatch.setenv("ECGSTREAM_ALERTING_CHANNELS", str(file))
    channels = load_channels(file)
    now_ns = SystemClock().now_ns()
    filled(
        address(database), channels, [alert_message("a"), alert_message("b"), alert_message("c")], published_ns=now_ns
    )
    box = outbox(address(database), channels["hook"], name="hook")
    for end in (box.delivered, lambda delivery, at_ns: box.refused(delivery, at_ns, "it answers 422")):
        delivery = box.claim(now_ns).delivery
        assert delivery is not None
        end(delivery, now_ns)
    box.close()
    return database


@pytest.mark.usefixtures("named")
def test_deliveries_are_listed_and_the_dead_are_sent_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["alarms", "deliveries"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["waiting", "dead", "done"]
    assert lines[1].endswith("hook  p1/b message 0: it answers 422")
    assert status_of(["alarms", "deliveries", "--state", "dead", "--json", "-"]) == 0
    (dead,) = json.loads(capsys.readouterr().out)["deliveries"]
    assert (dead["channel"], dead["alarm"], dead["error"]) == ("hook", "p1/b", "it answers 422")
    assert status_of(["alarms", "deliveries", "--channel", "other"]) == 0
    assert capsys.readouterr().out == "no such delivery\n"
    assert status_of(["alarms", "deliveries", "--alarm", "p1/a", "--retry"]) == 0
    assert capsys.readouterr().out == "0 deliveries wait again\n"
    assert status_of(["alarms", "deliveries", "--retry"]) == 0
    assert capsys.readouterr().out == "1 deliveries wait again\n"
    assert status_of(["alarms", "deliveries", "--state", "dead"]) == 0
    assert capsys.readouterr().out == "no such delivery\n"


@pytest.mark.usefixtures("named")
def test_channels_are_listed_without_their_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["alarms", "channels"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines() == [
        "hook  webhook, information and above, all phases: 1 waiting, 1 done, 1 dead",
        "archive  fhir, information and above, end: nothing yet",
    ]
    assert status_of(["alarms", "channels", "--json", "-"]) == 0
    shown_json = json.loads(capsys.readouterr().out)
    assert [channel["name"] for channel in shown_json["channels"]] == ["archive", "hook"]
    assert SECRET not in out + json.dumps(shown_json)


@pytest.mark.usefixtures("named")
def test_a_channel_is_tried(capsys: pytest.CaptureFixture[str], receiver: Receiver) -> None:
    assert status_of(["alarms", "channels", "--test", "hook"]) == 0
    assert capsys.readouterr().out == "sent over hook\n"
    (call,) = receiver.calls
    sent = Alert.model_validate_json(call.body)
    assert (sent.patient, sent.label) == ("ecgstream-test", "test of this channel, no alarm")
    receiver.answer = lambda _: 401
    assert status_of(["alarms", "channels", "--test", "hook"]) == 1
    said = capsys.readouterr().err
    assert "answers 401" in said
    assert "t0ken" not in said
    assert status_of(["alarms", "channels", "--test", "hok"]) == 1
    assert "there is no channel 'hok': ECGSTREAM_ALERTING_CHANNELS names hook, archive" in capsys.readouterr().err


def test_without_a_file_there_are_no_channels(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECGSTREAM_ALERTING_ALARM_DB", f"sqlite:///{tmp_path}/none.sqlite")
    assert status_of(["alarms", "channels"]) == 0
    assert capsys.readouterr().out == "no channel: ECGSTREAM_ALERTING_CHANNELS names them\n"


@pytest.mark.usefixtures("named")
def test_export_as_fhir_has_where_each_alarm_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["alarms", "export", "--format", "fhir"]) == 0
    exported = [Observation.model_validate_json(line) for line in capsys.readouterr().out.splitlines()]
    assert {alert_of(each).id for each in exported} == {"p1/a", "p1/b", "p1/c"}
