"""The commands on the alarm history, as a person and as a program uses them."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from alerting.database.engine import address
from alerting.history.reading import PAGE
from alerting.history.store import AlarmStore, Entry, Place
from bus.messages import Alert, AlertCommand
from ecgstream.alarm_export import COLUMNS, csv_line
from tests.alerting.alerts import alert
from tests.alerting.verdicts import START_NS
from tests.ecgstream.commands import status_of

HOUR_NS = 3_600_000_000_000
SENT_NS = 1_800_000_000_000_000_000
ACK = AlertCommand(id="c1", patient="p1", action="acknowledge", alert="p1/a/x", by="=Ada", sent_ns=START_NS)


def lives() -> list[Alert]:
    """Three alarms: one acknowledged and ended, one escalated, one of another patient, an hour apart."""
    first = {"id": "p1/a/x", "onset_ns": START_NS}
    second = {"id": "p1/b/x", "onset_ns": START_NS + HOUR_NS}
    return [
        alert(**first),
        alert(**first, sequence=1, phase="update", state="acknowledged", acknowledged_by="=Ada"),
        alert(**first, sequence=2, phase="end", state="inactive", acknowledged_by="=Ada", end_ns=START_NS + 1),
        alert(**second),
        alert(**second, sequence=2, phase="escalate", priority="high", reasons=("+1 more", "-2")),
        alert(id="p2/c/x", patient="p2", onset_ns=START_NS + 2 * HOUR_NS, value=-0.5),
    ]


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A history of three alarms, set in the environment."""
    named = f"sqlite:///{tmp_path}/state/alarms.sqlite"
    monkeypatch.setenv("ECGSTREAM_ALERTING_ALARM_DB", named)
    store = AlarmStore(address(named), cluster="c")
    store.open()
    place = Place("ecg.alerts", 0)
    shown: list[Alert | AlertCommand] = [*lives(), ACK]
    store.record(
        [Entry(place=place, offset=at, published_ns=SENT_NS + at, message=each) for at, each in enumerate(shown)]
    )
    yield named
    store.close()


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert status_of(["alarms", "history", *arguments, "--json", "-"]) == 0
    return [each["id"] for each in json.loads(capsys.readouterr().out)["alarms"]]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["p2/c/x", "p1/b/x", "p1/a/x"]),
        (["--patient", "p1"], ["p1/b/x", "p1/a/x"]),
        (["--priority", "high"], ["p1/b/x"]),
        (["--state", "inactive"], ["p1/a/x"]),
        (["--from", "2023-11-14T23:13:20"], ["p2/c/x", "p1/b/x"]),
        (["--to", "2023-11-15T00:13:20+01:00"], ["p1/a/x"]),
        (["--from", "2023-11-15", "--patient", "p1"], []),
    ],
)
def test_alarms_are_chosen(capsys: pytest.CaptureFixture[str], arguments: list[str], expected: list[str]) -> None:
    assert listed(capsys, *arguments) == expected


@pytest.mark.usefixtures("database")
def test_pages_follow_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["alarms", "history", "--limit", "2", "--json", "-"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert ([each["id"] for each in page["alarms"]], page["next"]) == (["p2/c/x", "p1/b/x"], "p1/b/x")
    assert listed(capsys, "--after", page["next"]) == ["p1/a/x"]
    assert status_of(["alarms", "history", "--limit", "1"]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[-1] == "there are more: --after p2/c/x"
    assert status_of(["alarms", "history", "--patient", "nobody"]) == 0
    assert capsys.readouterr().out == "no such alarm\n"


@pytest.mark.usefixtures("database")
def test_a_whole_life(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["alarms", "show", "p1/a/x", "--json", "-"]) == 0
    life = json.loads(capsys.readouterr().out)
    assert [event["phase"] for event in life["events"]] == ["start", "update", "end"]
    assert (life["alarm"], life["missing"]) == (life["events"][-1], 0)
    assert life["actions"] == [ACK.as_json()]
    assert life["emitted_ns"] == [SENT_NS, SENT_NS + 1, SENT_NS + 2], "wall time, which no message holds"
    assert status_of(["alarms", "show", "p1/a/x"]) == 0
    text = capsys.readouterr().out
    assert "  2027-01-15 08:00:00.000Z  end          low          inactive" in text
    assert "2023-11-14 22:13:20.000Z  acknowledge by =Ada" in text
    assert status_of(["alarms", "show", "p1/b/x"]) == 0
    assert "1 messages are not here" in capsys.readouterr().out


@pytest.mark.usefixtures("database")
def test_export_as_ndjson_has_it_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["alarms", "export", "--patient", "p1"]) == 0
    exported = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [len(life["events"]) for life in exported] == [2, 3]
    events = [Alert.model_validate(event) for life in reversed(exported) for event in life["events"]]
    assert events == lives()[:5]


@pytest.mark.usefixtures("database")
def test_export_as_csv_holds_nothing_that_a_spreadsheet_calculates(tmp_path: Path) -> None:
    file = tmp_path / "alarms.csv"
    assert status_of(["alarms", "export", "--format", "csv", "--output", str(file), "--to", "2024-01-01"]) == 0
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(file.read_text()))}
    assert tuple(next(iter(rows.values()))) == COLUMNS
    assert rows["p1/a/x"]["acknowledged_by"] == "'=Ada"
    assert rows["p1/b/x"]["reasons"] == "'+1 more; -2"
    assert rows["p2/c/x"]["value"] == "-0.5", "a number is one"


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_every_formula_is_defused(text: str) -> None:
    (cells,) = csv.reader(io.StringIO(csv_line((text, "fine", None, -1.5)), newline=""))
    assert cells == [f"'{text}", "fine", "", "-1.5"]


def test_an_export_of_more_than_a_page_is_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    named = f"sqlite:///{tmp_path}/alarms.sqlite"
    store = AlarmStore(address(named), cluster="c")
    store.open()
    # Many of one onset: a page may end between them.
    many = [alert(id=f"p1/{number:04}/x", onset_ns=START_NS + number // 400) for number in range(2 * PAGE + 1)]
    store.record([Entry(place=Place("t", 0), offset=at, published_ns=0, message=each) for at, each in enumerate(many)])
    assert status_of(["alarms", "export", "--format", "csv", "--database", named]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert sorted(row["id"] for row in rows) == [each.id for each in many]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("arguments", "status", "shown"),
    [
        (["show", "p9/x"], 1, "the alarm history has no alarm 'p9/x': 'ecgstream alarms history' lists them"),
        (["history", "--after", "p9/x"], 1, "no alarm 'p9/x'"),
        (["history", "--from", "yesterday"], 2, "'yesterday' is no time"),
        (["history", "--database", "mysql://h/d"], 1, "names 'mysql', which is not used here"),
        (["export", "--output", "/dev/null/x"], 1, "cannot be written: Not a directory: name another file"),
        (["show", "x", "--database", "sqlite:////nowhere/a.sqlite"], 1, "there is no alarm history /nowhere/a.sqlite"),
    ],
)
def test_errors_are_one_clear_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, shown: str
) -> None:
    assert status_of(["alarms", *arguments]) == status
    assert shown in " ".join(capsys.readouterr().err.replace("│", " ").split())
