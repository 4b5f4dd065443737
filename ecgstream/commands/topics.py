"""The commands about Kafka's topics."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import BootstrapServers

topics = typer.Typer(help="Kafka's topics.", no_args_is_help=True)


@topics.callback()
def _topics() -> None:
    """Kafka's topics."""


@topics.command("create")
def topics_create(
    *,
    bootstrap_servers: BootstrapServers = None,
    partitions: Annotated[int | None, typer.Option(help="Partitions of every topic.")] = None,
    replication: Annotated[int | None, typer.Option(help="Replicas of every topic.")] = None,
    access: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Users and rights, too: 'ecgstream access apply --passwords DIR'."),
    ] = None,
) -> None:
    """Make every topic that is missing, and bring the settings of the others in line."""
    from bus.clients import create_topics
    from bus.settings import KafkaSettings
    from bus.topics import TOPICS
    from ecgstream.running import run
    from ecgstream.settings import load

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers, partitions=partitions, replication=replication)
    run(create_topics(kafka))
    for topic in TOPICS:
        typer.echo(f"{kafka.topic(topic.name)}: {kafka.partitions} partitions, {topic.holds}")
    if access is not None:
        from ecgstream.commands.access import access_apply

        access_apply(passwords=access, bootstrap_servers=bootstrap_servers)


@topics.command("check")
def topics_check(
    *,
    bootstrap_servers: BootstrapServers = None,
    partitions: Annotated[int | None, typer.Option(help="Partitions of every topic.")] = None,
    replication: Annotated[int | None, typer.Option(help="Replicas of every topic.")] = None,
) -> None:
    """Say what of the topics is not as it should be; exit 1 when anything is."""
    from bus.settings import KafkaSettings
    from bus.topic_admin import topic_differences
    from bus.topics import TOPICS
    from ecg.errors import EcgStreamError
    from ecgstream.running import run
    from ecgstream.settings import load

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers, partitions=partitions, replication=replication)
    found = run(topic_differences(kafka))
    for difference in found:
        typer.echo(f"{difference}: {difference.remedy}")
    if found:
        raise EcgStreamError(f"{len(found)} things differ: do what stands behind each")
    typer.echo(f"{len(TOPICS)} topics of {kafka.partitions} partitions, as they should be")


@topics.command("grow")
def topics_grow(
    *,
    partitions: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="Partitions of every topic then.")],
    force: Annotated[
        bool, typer.Option("--force", help="Also when not everything was read: some seconds of a patient are lost.")
    ] = False,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Give all topics more partitions, and move what is known of the patients along; no service may run."""
    from bus.settings import KafkaSettings
    from bus.topic_growth import grow_topics
    from ecgstream.growth import keepers
    from ecgstream.running import run
    from ecgstream.settings import load

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    moved = run(grow_topics(kafka, partitions, keepers(), force=force))
    typer.echo(f"all topics have {partitions} partitions; {moved} records moved")
    typer.echo(f"set ECGSTREAM_PARTITIONS={partitions} for every service before it starts")


@topics.command("backup")
def topics_backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder that is not there yet.")],
    *,
    hours: Annotated[
        float,
        typer.Option(min=0, metavar="H", help="How much of the past, beside what is still to be read, and all alarms."),
    ] = 1.0,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Write all topics into files; detector and alerting must be stopped, senders may go on."""
    from bus.settings import KafkaSettings
    from bus.topic_backup import back_up
    from ecgstream.backup import progress_backups
    from ecgstream.running import run
    from ecgstream.settings import load

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    made = run(back_up(kafka, folder, progress_backups(), history_s=hours * 3600))
    typer.echo(f"{made.messages} messages of {len(made.topics)} topics in {folder}")


@topics.command("restore")
def topics_restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What 'ecgstream topics backup' has made.")],
    *,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Write a backup into empty topics; restore the alarm history first, then this, then start the services."""
    from alerting.database.engine import address, shown
    from alerting.settings import AlertingSettings
    from bus.settings import KafkaSettings
    from bus.topic_restore import restore
    from ecgstream.backup import forget_places, progress_backups
    from ecgstream.running import run
    from ecgstream.settings import load

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    named = load(AlertingSettings).alarm_db
    history = address(named.get_secret_value() if named else None)
    # First, since topics that are restored cannot be restored again where the database does not answer.
    run(forget_places(kafka, history))
    typer.echo(f"the alarm history {shown(history)} will read the topics from their beginning")
    made = run(restore(kafka, folder, progress_backups()))
    typer.echo(f"{made.messages} messages of {len(made.topics)} topics restored: start the services")
