"""The local broker: a real Apache Kafka on this machine, without Docker."""

import asyncio
import contextlib
import errno
import signal
import socket
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Self

import structlog

from bus.broker_config import HOST, LOGGING, BrokerSecurity, Membership, command, properties
from bus.broker_directory import JAVA_LOG, KAFKA_LOG, DataDirectory
from bus.broker_jars import Java, class_path, find_java
from bus.broker_process import ChildProcess
from ecg.errors import EcgStreamError
from ops.ports import free_ports

START_S = 90.0  # a loaded two-core machine takes 10 s; beyond this it hangs
STOP_S = 10.0  # an orderly stop takes 2 s; then it is killed, which loses nothing that was acknowledged
POLL_S = 0.05
STARTED = "Kafka Server started"
CONFIGURATION = "server.properties"

_log = structlog.get_logger(__name__)


class LocalBroker:
    """A real Kafka broker as a child process: ``async with LocalBroker() as broker: broker.bootstrap``.

    It listens on this machine only. On Linux it dies with this process, however this process ends; elsewhere
    with an orderly end only.

    Parameters
    ----------
    data_dir : where the topics are kept; None throws them away at the end
    port : the port that clients use; None takes a free one
    security : SASL and TLS; none by default
    heap_mb : the Java heap's limit, MB
    membership : its place among several brokers (``bus.broker_cluster``); None for one that is alone
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        port: int | None = None,
        security: BrokerSecurity | None = None,
        heap_mb: int = 512,
        membership: Membership | None = None,
    ) -> None:
        self._data = DataDirectory(data_dir)
        self._port = port
        self._membership = membership
        self._security = security or BrokerSecurity()
        self._heap_mb = heap_mb
        self._child: ChildProcess | None = None
        self._asked_to_end = False

    @property
    def bootstrap(self) -> str:
        """The address that clients connect to: host:port."""
        if self._port is None:
            raise RuntimeError("the broker has no port before it is started")
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """The process id of the broker that runs."""
        if self._child is None:
            raise RuntimeError("the broker has not been started")
        return self._child.pid

    @property
    def running(self) -> bool:
        """True while the broker's process runs."""
        return self._child is not None and self._child.running

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self._data.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the broker and let its data go: thrown away, unless a directory was named."""
        await self.stop()
        self._data.close()

    async def start(self) -> None:
        """Start the broker, or start it again on the same data and port; return when it answers.

        Raises
        ------
        EcgStreamError : when the port is taken, no Java is found, Kafka's jars cannot be fetched, the data
            directory cannot be written, is another broker's or is full, or Kafka ends while it starts
        """
        if self.running:
            return
        if self._membership is None:
            self._port, controller_port = _ports(self._port, None)
            self._membership = Membership(node_id=1, controller_ports={1: controller_port}, cluster_id=cluster_id())
        else:
            self._port, _ = _ports(self._port, self._membership.controller_ports[self._membership.node_id])
        java = await asyncio.to_thread(find_java)
        jars = await class_path()
        self._data.open()
        self._data.write("log4j2.properties", LOGGING)
        self._data.write(
            CONFIGURATION,
            properties(
                directory=self._data.path,
                port=self._port,
                membership=self._membership,
                security=self._security,
            ),
        )
        try:
            if not self._data.formatted:
                await self._format(java, jars, self._membership.cluster_id)
            await self._run(java, jars)
        except BaseException:
            await self.kill()
            raise
        _log.info("broker_started", bootstrap=self.bootstrap, data=str(self._data.path))

    async def stop(self) -> None:
        """End the broker in order; a throwaway one is killed, which is quicker."""
        if self._child is None or not self._child.running:
            return
        if not self._data.thrown_away:
            self._asked_to_end = True
            self._child.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.ended(), STOP_S)
        await self.kill()

    async def kill(self) -> None:
        """End the broker by SIGKILL, as a crash would; ``start`` brings it back with its data."""
        self._asked_to_end = True
        if self._child is not None and self._child.running:
            self._child.signal(signal.SIGKILL)
            await self._child.ended()

    async def wait(self) -> None:
        """Wait until the broker ends.

        Raises
        ------
        EcgStreamError : when it ended without being asked to: its disk is full, or it crashed
        """
        if self._child is None:
            raise RuntimeError("the broker has not been started")
        status = await self._child.ended()
        if not self._asked_to_end:
            raise self._data.death("ended", status)

    async def _format(self, java: Java, jars: str, identity: str) -> None:
        scram = [
            word
            for name, password in self._security.users.items()
            for word in ("--add-scram", f"SCRAM-SHA-256=[name={name},password={password}]")
        ]
        child = await self._start_child(
            java, jars, "kafka.tools.StorageTool", "format", "-t", identity, "-c", self._configuration, *scram
        )
        if status := await child.ended():
            raise self._data.death("could not prepare its data directory: it ended", status)

    async def _run(self, java: Java, jars: str) -> None:
        # The log of this run alone tells when it has started.
        (self._data.path / KAFKA_LOG).unlink(missing_ok=True)
        self._asked_to_end = False
        child = await self._start_child(java, jars, "kafka.Kafka", self._configuration)
        try:
            async with asyncio.timeout(START_S):
                while STARTED not in self._data.tail(KAFKA_LOG):
                    if not child.running:
                        raise self._data.death("ended while it started", await child.ended())
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise EcgStreamError(
                f"Kafka has not started within {START_S:g} s; {self._data.last_log_lines()}: "
                "give the machine more memory or processor time"
            ) from None

    @property
    def _configuration(self) -> str:
        return str(self._data.path / CONFIGURATION)

    async def _start_child(self, java: Java, jars: str, *program: str) -> ChildProcess:
        directory = self._data.path
        child = self._child = ChildProcess(
            command(*program, java=java, jars=jars, directory=directory, heap_mb=self._heap_mb),
            output=directory / JAVA_LOG,
            directory=directory,
        )
        try:
            await child.start()
        except OSError as error:
            raise EcgStreamError(f"Java does not start: {error.strerror}: set JAVA_HOME to one that does") from error
        return child


def cluster_id() -> str:
    """A new cluster's id, as Kafka makes them: 22 characters of URL-safe base64, none that looks like an option."""
    while (identity := urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return identity


def _ports(*wanted: int | None) -> list[int]:
    """These ports, None taking a free one, after a look whether they can be listened on."""
    free = iter(free_ports(sum(port is None for port in wanted), host=HOST))
    return [next(free) if port is None else _checked(port) for port in wanted]


def _checked(port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                raise EcgStreamError(
                    f"port {port} on {HOST} is taken: end the program that listens there (an earlier broker?) "
                    "or choose another port"
                ) from error
            raise EcgStreamError(f"port {port} on {HOST} cannot be used: {error}: choose another port") from error
    return port
