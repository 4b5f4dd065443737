"""The commands that read the alarm history: what was, when, and who did what about it."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from ecg.urgency import AlarmPriority, AlarmState
from ecgstream.commands.options import Json

if TYPE_CHECKING:
    from sqlalchemy import URL


class Form(StrEnum):
    """Forms of export."""

    NDJSON = "ndjson"
    CSV = "csv"
    FHIR = "fhir"


class Time(NamedTuple):
    """A time as an option gives it, ns UTC."""

    ns: int


def time_option(text: str) -> Time:
    """A time in ISO 8601, UTC where it names no zone."""
    from datetime import UTC, datetime, timedelta

    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no time: write it like 2026-03-01T14:30:00, in UTC") from None
    since = (when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
    return Time(since // timedelta(microseconds=1) * 1000)


Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="The alarm history; by default ECGSTREAM_ALERTING_ALARM_DB, else the user's own.",
    ),
]
From = Annotated[
    Time | None, typer.Option("--from", parser=time_option, metavar="TIME", help="Onset at or after; ISO 8601, UTC.")
]
To = Annotated[Time | None, typer.Option("--to", parser=time_option, metavar="TIME", help="Onset before.")]
Patient = Annotated[str | None, typer.Option(metavar="P", help="Of this patient.")]


def history(
    *,
    patient: Patient = None,
    priority: Annotated[AlarmPriority | None, typer.Option(help="Of this priority at last.")] = None,
    state: Annotated[AlarmState | None, typer.Option(help="In this state; inactive ones have ended.")] = None,
    since: From = None,
    until: To = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    after: Annotated[
        str | None, typer.Option(metavar="ID", help="Those behind this alarm: the last one of the page before.")
    ] = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """The alarms in the alarm history, the newest onset first."""
    from rich.text import Text

    from alerting.history.reading import AlarmHistory, Wanted
    from ecgstream.running import print_result
    from ecgstream.wording import alarm_list

    wanted = Wanted(
        patient=patient, priority=priority, state=state, from_ns=since and since.ns, to_ns=until and until.ns
    )
    with AlarmHistory(address_of(database)) as read:
        found = read.page(wanted, limit=limit + 1, after=after)
    more, found = len(found) > limit, found[:limit]
    lines = alarm_list(found, if_none="no such alarm")
    if more:
        lines.append(Text(f"there are more: --after {found[-1].id}"))
    print_result(lines, {"alarms": [alert.as_json() for alert in found], "next": found[-1].id if more else None}, json)


def show(
    alarm: Annotated[str, typer.Argument(metavar="ID", help="The alarm's id, as list tells it.")],
    *,
    strip: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the 10 s around its onset; the file ends in .svg, .png or .pdf."),
    ] = None,
    database: Database = None,
    json: Json = None,
) -> None:
    """The whole life of an alarm: every message, and what anybody did about it."""
    from alerting.history.reading import AlarmHistory
    from ecgstream.running import print_result
    from ecgstream.wording import life_lines

    with AlarmHistory(address_of(database)) as read:
        life = read.life(alarm)
        if strip is not None:
            from ecgstream.alarm_strips import write_strip

            write_strip(read, alarm, strip)
    print_result(life_lines(life), life.as_json(), json)


def export(
    *,
    form: Annotated[
        Form, typer.Option("--format", help="ndjson: each alarm's whole life a line; csv, fhir: where each stands.")
    ] = Form.NDJSON,
    patient: Patient = None,
    since: From = None,
    until: To = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to write; by default standard output.")
    ] = None,
    database: Database = None,
) -> None:
    """Alarms out of the alarm history, for other programs."""
    import sys

    from alerting.history.reading import AlarmHistory, Wanted
    from ecg.errors import EcgStreamError
    from ecgstream.alarm_export import lines
    from ecgstream.running import reader_may_leave

    wanted = Wanted(patient=patient, from_ns=since and since.ns, to_ns=until and until.ns)
    with AlarmHistory(address_of(database)) as read:
        if output is None:
            with reader_may_leave():
                sys.stdout.writelines(lines(read, wanted, form.value))
            return
        try:
            with output.open("w", encoding="utf-8", newline="") as file:
                file.writelines(lines(read, wanted, form.value))
        except OSError as error:
            raise EcgStreamError(f"--output {output} cannot be written: {error.strerror}: name another file") from error


def address_of(named: str | None) -> "URL":
    """The alarm history that an option names, or the settings do."""
    from alerting.database.engine import address
    from alerting.settings import AlertingSettings
    from ecgstream.settings import load

    set_to = load(AlertingSettings).alarm_db
    return address(named or (set_to.get_secret_value() if set_to else None))
