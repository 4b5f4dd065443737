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


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Place of one broker among the brokers of a cluster, each of which is a controller too.

    Attributes
    ----------
    node_id : this broker's number
    controller_ports : by the number of each broker of the cluster, where the others reach it as a controller
    cluster_id : what all of them are formatted with
    """

    node_id: int
    controller_ports: Mapping[int, int]
    cluster_id: str

    @property
    def replication(self) -> int:
        """Replicas of Kafka's own topics: three, or one on each broker where there are fewer."""
        return min(3, len(self.controller_ports))


def properties(*, directory: Path, port: int, membership: Membership, security: BrokerSecurity) -> str:
    """The text of Kafka's ``server.properties``.

    Parameters
    ----------
    directory : where the broker keeps everything
    port : where clients connect to
    membership : which broker of which cluster it is
    security : SASL and TLS for the clients
    """
    controller_port = membership.controller_ports[membership.node_id]
    replicas = str(membership.replication)
    in_sync = str(max(1, membership.replication - 1))  # one broker may be away
    lines = {
        "process.roles": "broker,controller",
        "node.id": str(membership.node_id),
        "controller.quorum.voters": ",".join(
            f"{node}@{HOST}:{reached_at}" for node, reached_at in membership.controller_ports.items()
        ),
        "listeners": f"CLIENTS://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"CLIENTS://{HOST}:{port}",
        "inter.broker.listener.name": "CLIENTS",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": f"CLIENTS:{security.protocol},CONTROLLER:PLAINTEXT",
        "log.dirs": str(directory / "topics"),
        # A misspelt topic must be an error, not a new topic with the wrong partition count.
        "auto.create.topics.enable": "false",
        # Few partitions of the internal topics start quicker; in a cluster each broker leads some of them.
        "offsets.topic.replication.factor": replicas,
        "offsets.topic.num.partitions": str(len(membership.controller_ports)),
        "transaction.state.log.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.num.partitions": str(len(membership.controller_ports)),
        "share.coordinator.state.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
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
