"""The commands about alarms: which are open, and acknowledging and silencing them."""

from typing import TYPE_CHECKING, Annotated

import typer

from ecgstream.commands.options import BootstrapServers, Json

if TYPE_CHECKING:
    from bus.messages import AlertCommand

alarms = typer.Typer(help="Alarms: which are open; acknowledge and silence them.", no_args_is_help=True)

Id = Annotated[str | None, typer.Argument(metavar="[ID]", help="The alarm's id, as list tells it.")]
Patient = Annotated[str | None, typer.Option(metavar="P", help="All alarms of this patient.")]
By = Annotated[str | None, typer.Option(metavar="NAME", help="Who does it.  [default: who is logged in]")]


@alarms.callback()
def _alarms() -> None:
    """Alarms: which are open; acknowledge and silence them."""


@alarms.command("list")
def alarms_list(
    *,
    patient: Patient = None,
    every: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    json: Json = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """The alarms as they stand, the most urgent first."""
    from alerting.commanding import alarms as read
    from bus.settings import KafkaSettings
    from ecgstream.running import print_result, run
    from ecgstream.settings import load
    from ecgstream.wording import alarm_list

    found = run(read(load(KafkaSettings, bootstrap_servers=bootstrap_servers), patient=patient, ended=every))
    print_result(alarm_list(found, if_none="no alarm is open"), {"alarms": [alert.as_json() for alert in found]}, json)


@alarms.command("ack")
def acknowledge(
    alarm: Annotated[str, typer.Argument(metavar="ID", help="The alarm's id, as list tells it.")],
    *,
    by: By = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Acknowledge an alarm: it is quiet until it ends."""
    _do("acknowledge", alarm=alarm, patient=None, by=by, minutes=None, bootstrap_servers=bootstrap_servers)


@alarms.command("silence")
def silence(
    alarm: Id = None,
    *,
    patient: Patient = None,
    minutes: Annotated[float, typer.Option(help="For how long, in the recording's time.")] = 2.0,
    by: By = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Hold the sound of an alarm, or of all of a patient's, for a while."""
    _do("silence", alarm=alarm, patient=patient, by=by, minutes=minutes, bootstrap_servers=bootstrap_servers)


@alarms.command("unsilence")
def unsilence(
    alarm: Id = None, *, patient: Patient = None, by: By = None, bootstrap_servers: BootstrapServers = None
) -> None:
    """Give an alarm, or all of a patient's, the sound back."""
    _do("unsilence", alarm=alarm, patient=patient, by=by, minutes=None, bootstrap_servers=bootstrap_servers)


def _do(
    action: str,
    *,
    alarm: str | None,
    patient: str | None,
    by: str | None,
    minutes: float | None,
    bootstrap_servers: str | None,
) -> None:
    import getpass

    from alerting.commanding import command, send
    from bus.settings import KafkaSettings
    from ecgstream.running import run
    from ecgstream.settings import load
    from ecgstream.wording import alarm_lines

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    sent: AlertCommand = command(action, alert=alarm, patient=patient, by=by or getpass.getuser(), minutes=minutes)
    for alert in run(send(kafka, sent)):
        for line in alarm_lines(alert):
            typer.echo(line)
