"""The commands that secure an installation: certificates and passwords, users and their rights."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import BootstrapServers

access = typer.Typer(help="Users of Kafka and their rights (bus/access.toml).", no_args_is_help=True)


def certificates(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    *,
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Where clients reach the broker, beside kafka, localhost and 127.0.0.1."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="How long the certificates are valid.")] = 825,
) -> None:
    """Make what docker-compose.secure.yml needs: an authority, certificates, and a password for each user."""
    from ecgstream.certificates import make_certificates

    names = make_certificates(folder, hosts=["kafka", "localhost", "127.0.0.1", *(host or [])], days=days)
    typer.echo(f"{folder}: {', '.join(names)}")
    typer.echo("They are secret but for ca.pem: keep them out of repositories and backups that others read.")


@access.command("apply")
def access_apply(
    *,
    passwords: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Set the users' passwords, too: files USER_password in this folder."),
    ] = None,
    bootstrap_servers: BootstrapServers = None,
) -> None:
    """Make the users, and give each exactly the rights of the list; as a user who may do all."""
    from bus.access import access as users
    from bus.access_admin import apply_access
    from bus.settings import KafkaSettings
    from ecg.errors import EcgStreamError
    from ecgstream.running import run
    from ecgstream.settings import load
    from ops.secret_files import PREFIX, read_secret

    kafka = load(KafkaSettings, bootstrap_servers=bootstrap_servers)
    try:
        found = {user: read_secret(f"{PREFIX}{passwords}/{user}_password") for user in users()} if passwords else {}
    except ValueError as error:
        raise EcgStreamError(f"{error}; 'ecgstream certificates DIR' makes them all") from None
    given, taken = run(apply_access(kafka, found))
    for right in given:
        typer.echo(f"given  {right}")
    for right in taken:
        typer.echo(f"taken  {right}")
    typer.echo(f"{len(users())} users, {len(found)} passwords set, {len(given)} rights given, {len(taken)} taken away")


@access.command("check")
def access_check(*, bootstrap_servers: BootstrapServers = None) -> None:
    """Say which rights differ from the list; exit 1 when any does."""
    from bus.access_admin import access_differences
    from bus.settings import KafkaSettings
    from ecg.errors import EcgStreamError
    from ecgstream.running import run
    from ecgstream.settings import load

    missing, surplus = run(access_differences(load(KafkaSettings, bootstrap_servers=bootstrap_servers)))
    for right in missing:
        typer.echo(f"lacking  {right}")
    for right in surplus:
        typer.echo(f"beside   {right}")
    if missing or surplus:
        raise EcgStreamError(f"{len(missing) + len(surplus)} rights differ: run 'ecgstream access apply'")
    typer.echo("every user has the rights of the list, and no other")
