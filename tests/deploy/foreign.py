"""Kafka and PostgreSQL of this machine, as the compose file configures their images."""

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bus.broker_jars import _class_path, cache_directory, find_java
from tests.deploy.container import Container
from tests.support.postgres import UNPACKED, server_programs

if TYPE_CHECKING:
    from tests.deploy.stack import Stack

KAFKA_USER = "1000:1000"  # that of the image
_LOGGING = """\
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.console.ref = console
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""
_NOT_PROPERTIES = {"CLUSTER_ID", "KAFKA_HEAP_OPTS"}


def trees(name: str) -> tuple[Path, ...]:
    """Folders that a service's programs need."""
    if name == "kafka":
        return (cache_directory(), find_java().program.resolve().parents[1])
    return ()


def properties(environment: Mapping[str, object]) -> dict[str, str]:
    """Kafka's properties as its image makes them from the environment."""
    return {
        name.removeprefix("KAFKA_")
        .lower()
        .replace("___", "-")
        .replace("__", "%")
        .replace("_", ".")
        .replace("%", "_"): (str(value))
        for name, value in environment.items()
        if name not in _NOT_PROPERTIES
    }


def start_kafka(stack: "Stack") -> Container:
    """Kafka: its storage formatted where it is empty, then the broker."""
    declared = stack.specs["kafka"]["environment"]
    names = sorted(stack.network, key=len, reverse=True)
    lines = properties(declared)
    for key in ("listeners", "advertised.listeners", "controller.quorum.voters"):
        for name in (*names, "localhost"):
            lines[key] = lines[key].replace(f"//{name}:", f"//{stack.network.get(name, stack.network['kafka'])}:")
        lines[key] = (
            lines[key].replace("@kafka:", f"@{stack.network['kafka']}:").replace("//:", f"//{stack.network['kafka']}:")
        )
    work = stack.folder / "kafka-work"
    work.mkdir(exist_ok=True)
    (work / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
    (work / "log4j2.properties").write_text(_LOGGING)
    work.chmod(0o755)
    mounts = stack.mounts("kafka", 1000) | {"/opt/kafka/config": (work, False)}
    java = find_java()
    options = ["-XX:+UseSerialGC", "-Dlog4j2.configurationFile=/opt/kafka/config/log4j2.properties", "-Xshare:auto"]
    if java.version >= 24:
        options.append("--sun-misc-unsafe-memory-access=allow")
    jars = _class_path(cache_directory())

    def container(folder: str, *arguments: str) -> Container:
        command = [str(java.program.resolve()), *str(declared["KAFKA_HEAP_OPTS"]).split(), *options, "-cp", jars]
        spec = stack.spec("kafka", [*command, *arguments], KAFKA_USER, {"PATH": "/usr/bin:/bin"}, mounts)
        return Container(spec=spec, folder=stack.folder / folder)

    configuration = "/opt/kafka/config/server.properties"
    if not any((stack.folder / "volumes" / "kafka").iterdir()):
        identity = str(declared["CLUSTER_ID"])
        _finished(container("kafka-format", "kafka.tools.StorageTool", "format", "-t", identity, "-c", configuration))
    return container("kafka", "kafka.Kafka", configuration)


def start_postgres(stack: "Stack") -> Container:
    """PostgreSQL: its cluster and database made where there are none, then the server."""
    spec = stack.specs["postgres"]
    declared, user = spec["environment"], str(spec["user"])
    programs = server_programs()
    if programs is None:
        pytest.skip("no PostgreSQL server here: scripts/debian.sh brings it on Debian")
    libraries = os.pathsep.join(str(path) for path in (UNPACKED / "usr/lib").glob("*-linux-gnu"))
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "LC_ALL": "C", "LD_LIBRARY_PATH": libraries}
    data = "/var/lib/postgresql/data"
    mounts = stack.mounts("postgres", int(user.partition(":")[0]))

    def container(folder: str, *command: str) -> Container:
        made = stack.spec("postgres", list(command), user, environment, mounts)
        return Container(spec=made, folder=stack.folder / folder)

    if not any((stack.folder / "volumes" / "postgres").iterdir()):
        password = shlex.quote(_password(stack))
        initdb = f"initdb --username={declared['POSTGRES_USER']} --pwfile=/tmp/password --auth-local=trust -D {data}"
        script = (
            f"echo {password} > /tmp/password; {initdb} {declared['POSTGRES_INITDB_ARGS']} --encoding=UTF8 --no-sync; "
            f"echo host all all all scram-sha-256 >> {data}/pg_hba.conf; "
            f"echo CREATE DATABASE {declared['POSTGRES_DB']} | postgres --single -D {data} postgres"
        )
        _finished(container("postgres-init", "sh", "-ec", script))
    listening = ["-c", f"listen_addresses={stack.network['postgres']}"]
    return container("postgres", *spec["command"], "-D", data, *listening)


def database_url(stack: "Stack") -> str:
    """Where alerting is told that its database is."""
    found = str(stack.specs["alerting"]["environment"]["ECGSTREAM_ALERTING_ALARM_DB"])
    return _secret(stack, found)


def _password(stack: "Stack") -> str:
    declared = stack.specs["postgres"]["environment"]
    named = declared.get("POSTGRES_PASSWORD_FILE")
    return str(declared["POSTGRES_PASSWORD"]) if named is None else _secret(stack, f"file:{named}")


def _secret(stack: "Stack", value: str) -> str:
    if not value.startswith("file:/run/secrets/"):
        return value
    return (stack.folder / "secure" / Path(value).name).read_text().strip()


def _finished(container: Container) -> None:
    """Wait for what runs once."""
    try:
        assert container.process.wait(90) == 0, container.said()
    finally:
        container.close()


START: Mapping[str, Callable[["Stack"], Container]] = {"kafka": start_kafka, "postgres": start_postgres}
