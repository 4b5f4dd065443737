"""The channels file: what it may hold, and what is said when it holds something else, without its secrets."""

import re
import traceback
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import get_args

import pytest

from alerting import delivery
from alerting.database.engine import address
from alerting.delivery.channels import KINDS_OF_CHANNEL, Channel, ChannelsError, kind_of_channel, load_channels
from alerting.delivery.fhir_channel import FhirChannel
from alerting.delivery.webhook import WebhookChannel
from ops.clock import SystemClock
from tests.alerting.alerts import alert

NOWHERE = address("sqlite:////no/such/alarms.sqlite")
HOOK = 'kind = "webhook"\nurl = "https://h.example/hunter2"\nsecret = "hunter2-hunter2-hunter2"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "channels.toml"
    path.write_text(text)
    return path


def test_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARD_SECRET", "from-the-environment")
    (tmp_path / "url").write_text("https://h.example/from-a-file\n")
    path = written(
        tmp_path,
        f"""
        [channels.hook]
        kind = "webhook"
        url = "file:{tmp_path}/url"
        secret = "env:WARD_SECRET"
        min_priority = "medium"
        phases = ["start", "end"]
        per_minute = 30

        [channels.pager]
        kind = "apprise"
        url = "json://127.0.0.1:9"

        [channels.archive]
        kind = "fhir"
        file = "{tmp_path}/alarms.ndjson"
        """,
    )
    channels = load_channels(path)
    hook, archive = channels["hook"], channels["archive"]
    assert isinstance(hook, WebhookChannel)
    assert hook.url.get_secret_value() == "https://h.example/from-a-file"
    assert hook.secret.get_secret_value() == "from-the-environment"
    assert "from-" not in repr(hook)
    assert hook.takes(alert(priority="medium", phase="end"))
    assert not hook.takes(alert(priority="low"))
    assert not hook.takes(alert(priority="high", phase="update"))
    assert isinstance(archive, FhirChannel)
    assert archive.takes(alert(priority="information", phase="continue", kind="technical"))
    pager = channels["pager"]
    assert [priority for priority in ("high", "medium", "low") if pager.takes(alert(priority=priority))] == [
        "high",
        "medium",
    ]
    assert not pager.takes(alert(priority="high", phase="continue")), "nobody wants a mail every 30 seconds"
    for name, channel in channels.items():
        channel.sender(name, clock=SystemClock(), database=NOWHERE).close()


def test_no_file_has_no_channels(tmp_path: Path) -> None:
    assert load_channels(None) == {}
    assert load_channels(written(tmp_path, "")) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[channels.x", "are not TOML"),
        ('[channels.x]\nsecret = "hunter2', "are not TOML"),
        ("[chanels.x]", "chanels is not a setting of it: correct or remove it"),
        (
            '[channels.x]\nkind = "pigeon"',
            r"channels\.x\.kind is missing or unknown: write apprise",
        ),
        ('[channels.x]\nurl = "https://hunter2"', r"channels\.x\.kind is missing or unknown"),
        (f"[channels.x]\n{HOOK}colour = 1", r"channels\.x\.colour is not a setting of it"),
        (f'[channels."a b"]\n{HOOK}', "'a b' is not a channel name: take up to 64 letters"),
        ('[channels.x]\nkind = "webhook"\nurl = "https://h.example"', r"channels\.x\.secret is missing: add it"),
        (
            '[channels.x]\nkind = "webhook"\nurl = "https://h.example"\nsecret = "hunter2"',
            r"channels\.x\.secret: it has fewer than 16 characters",
        ),
        (
            '[channels.x]\nkind = "webhook"\nurl = "ftp://hunter2"\nsecret = "hunter2-hunter2-hunter2"',
            r"channels\.x\.url: it is not the address of a server: write https://host/path",
        ),
        (
            '[channels.x]\nkind = "apprise"\nurl = "env:NO_SUCH_THING"',
            r"channels\.x\.url: the environment has no NO_SUCH_THING, or it is empty: set it",
        ),
        ('[channels.x]\nkind = "apprise"\nurl = ""', r"channels\.x\.url: it is empty: write the secret"),
        ('[channels.x]\nkind = "apprise"\nurl = "file:/no/such"', r"/no/such cannot be read \(No such file"),
        ('[channels.x]\nkind = "fhir"', r"channels\.x: name a server with url, or a file with file: not both"),
        (
            '[channels.x]\nkind = "fhir"\nurl = "https://h.example"\nfile = "a"',
            r"channels\.x: name a server with url, or a file with file: not both",
        ),
        (
            '[channels.x]\nkind = "fhir"\nfile = "a"\ntoken = "hunter2"',
            r"channels\.x: token and ca_file are for a server",
        ),
        (f'[channels.x]\n{HOOK}min_priority = "urgent"', r"channels\.x\.min_priority: input should be 'high'"),
        (f'[channels.x]\n{HOOK}phases = ["begin"]', r"channels\.x\.phases\.0: input should be 'start'"),
        (f"[channels.x]\n{HOOK}phases = []", r"channels\.x\.phases: .* at least 1 item"),
        (f'[channels.x]\n{HOOK}kinds = ["odd"]', r"channels\.x\.kinds\.0: input should be 'physiological'"),
        (f"[channels.x]\n{HOOK}per_minute = 0", r"channels\.x\.per_minute: input should be greater than or equal to 1"),
        (f"[channels.x]\n{HOOK}timeout_s = 600", r"channels\.x\.timeout_s: input should be less than or equal to 60"),
        (f"[channels.x]\n{HOOK}retry_s = 90", r"channels\.x: retry_max_s=60 is below retry_s=90: raise it"),
    ],
)
def test_what_is_wrong_is_told_without_a_secret(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ChannelsError, match=expected) as failure:
        load_channels(written(tmp_path, text))
    assert "hunter2" not in "".join(traceback.format_exception(failure.value))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ChannelsError, match=r"cannot be read \(No such file.*correct ECGSTREAM_ALERTING_CHANNELS"):
        load_channels(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("pigeon://hunter2@roof", "has the scheme 'pigeon', which apprise does not know"),
        ("tgram://hunter2", "has the scheme 'tgram', but not what belongs behind it"),
        ("hunter2", "has no scheme"),
    ],
)
def test_an_address_that_apprise_does_not_take_is_told_at_the_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, url: str, expected: str
) -> None:
    caplog.set_level(1)
    channels = load_channels(written(tmp_path, f'[channels.pager]\nkind = "apprise"\nurl = "{url}"'))
    with pytest.raises(ChannelsError, match=re.escape(f"channels.pager.url {expected}")) as failure:
        channels["pager"].sender("pager", clock=SystemClock(), database=NOWHERE)
    assert "hunter2" not in str(failure.value) + caplog.text


def test_certificates_that_cannot_be_read_are_told_at_the_start(tmp_path: Path) -> None:
    channels = load_channels(written(tmp_path, f'[channels.x]\n{HOOK}ca_file = "{tmp_path}/none.pem"'))
    with pytest.raises(ChannelsError, match=r"none\.pem cannot be used \(No such file or directory\): name a PEM file"):
        channels["x"].sender("x", clock=SystemClock(), database=NOWHERE)


@pytest.mark.parametrize("kind", KINDS_OF_CHANNEL)
def test_each_kind_of_the_table_has_settings_of_its_name(kind: str) -> None:
    settings = kind_of_channel(kind)
    assert issubclass(settings, Channel)
    assert get_args(settings.model_fields["kind"].annotation) == (kind,)


def test_every_channel_is_in_the_table() -> None:
    modules = [import_module(f"alerting.delivery.{module.name}") for module in iter_modules(delivery.__path__)]
    found = {
        each
        for module in modules
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, Channel) and each is not Channel
    }
    assert {kind_of_channel(kind) for kind in KINDS_OF_CHANNEL} == found
