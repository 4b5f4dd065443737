"""Configuration of the local broker: its properties, its log, and the command that runs it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bus.broker_directory import KAFKA_LOG
from bus.broker_jars import Java

HOST = "127.0.0.1"

# For log4j2: without a configuration it logs errors only, and never that Kafka has started.
LOGGING = """\
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:ecgstream.log}
appender.file.filePattern = ${sys:ecgstream.log}.%i
appender.file.append = false
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %m (%c)%n
appender.file.policies.type = SizeBasedTriggeringPolicy
appender.file.policies.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 1
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSecurity:
    """Authentication of the local broker's clients, and encryption of the line.

    Attributes
    ----------
    users : SCRAM-SHA-256 passwords by user name; none means no SASL
    keystore : PEM file with the broker's private key (PKCS8), certificate and CA; None means no TLS
    """

    users: Mapping[str, str] = field(default_factory=dict)
    keystore: Path | None = None

    @property
    def protocol(self) -> str:
        """The security protocol as Kafka names it."""
        if self.users:
            return "SASL_SSL" if self.keystore else "SASL_PLAINTEXT"
        return "SSL" if self.keystore else "PLAINTEXT"


def properties(*, directory: Path, port: int, controller_port: int, security: BrokerSecurity) -> str:
    """The text of Kafka's ``server.properties``.

    Parameters
    ----------
    directory : where the broker keeps everything
    port, controller_port : where clients, and the broker itself as its own controller, connect to
    security : SASL and TLS for the clients
    """
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"CLIENTS://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"CLIENTS://{HOST}:{port}",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": f"CLIENTS:{security.protocol},CONTROLLER:PLAINTEXT",
        "log.dirs": str(directory / "topics"),
        # A misspelt topic must be an error, not a new topic with the wrong partition count.
        "auto.create.topics.enable": "false",
        # One node: nothing can be replicated, and few partitions of the internal topics start quicker.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # After a kill -9 the controller takes the restarted broker back in 3 s instead of 12 s.
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "500",
        # A small machine: less memory and fewer threads.
        "log.cleaner.dedupe.buffer.size": "2097152",
        "log.cleaner.threads": "1",
        "num.network.threads": "1",
        "num.io.threads": "2",
    }
    if security.users:
        lines["sasl.enabled.mechanisms"] = "SCRAM-SHA-256"
        lines["sasl.mechanism.inter.broker.protocol"] = "SCRAM-SHA-256"
        name, password = next(iter(security.users.items()))
        lines["listener.name.clients.scram-sha-256.sasl.jaas.config"] = (
            f'org.apache.kafka.common.security.scram.ScramLoginModule required username="{name}" password="{password}";'
        )
    if security.keystore:
        lines |= {
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(security.keystore.absolute()),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(security.keystore.absolute()),
        }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def command(*arguments: str, java: Java, jars: str, directory: Path, heap_mb: int) -> list[str]:
    """The command that runs a program of Kafka's in Java.

    Parameters
    ----------
    arguments : the class, and what it is given
    java, jars : the Java and the class path
    directory : where the broker keeps everything
    heap_mb : the heap's limit, MB
    """
    options = [
        f"-Xmx{heap_mb}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-XX:-UsePerfData",  # its file in /tmp would kill the broker by SIGBUS on a full disk
        "-XX:+ExitOnOutOfMemoryError",
        f"-Dlog4j2.configurationFile={directory / 'log4j2.properties'}",
        f"-Decgstream.log={directory / KAFKA_LOG}",
    ]
    if java.version >= 24:
        options.append("--sun-misc-unsafe-memory-access=allow")  # Kafka's libraries use it; Java warns since 24
    return [str(java.program), *options, "-cp", jars, *arguments]
