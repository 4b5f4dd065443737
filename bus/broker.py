"""The local broker: a real Apache Kafka on this machine, without Docker."""

import asyncio
import contextlib
import errno
import re
import shutil
import signal
import socket
import tempfile
import uuid
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Self

import structlog

from bus.broker_config import HOST, LOGGING, BrokerSecurity, command, properties
from bus.broker_jars import Java, class_path, find_java
from bus.broker_process import ChildProcess
from ecg.errors import EcgStreamError

START_S = 90.0  # a loaded two-core machine takes 10 s; beyond this it hangs
STOP_S = 10.0  # an orderly stop takes 2 s; then it is killed, which loses nothing that was acknowledged
POLL_S = 0.05
MIN_FREE_BYTES = 64 * 2**20  # below this the broker dies while it makes its first log segments
STARTED = "Kafka Server started"

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
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        port: int | None = None,
        security: BrokerSecurity | None = None,
        heap_mb: int = 512,
    ) -> None:
        self._named_dir = data_dir
        self._directory: Path | None = None
        self._port = port
        self._controller_port: int | None = None
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
        """Whether the broker's process runs."""
        return self._child is not None and self._child.running

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        self._remove_thrown_away()

    async def start(self) -> None:
        """Start the broker, or start it again on the same data and port; return when it answers.

        Raises
        ------
        EcgStreamError : when the port is taken, no Java is found, Kafka's jars cannot be fetched, the data
            directory cannot be written or is full, or Kafka ends while it starts
        """
        if self.running:
            return
        self._port = self._free_port(self._port)
        self._controller_port = self._free_port(self._controller_port)
        java = await asyncio.to_thread(find_java)
        jars = await class_path()
        directory = self._prepared_directory()
        try:
            if not (directory / "topics" / "meta.properties").exists():
                await self._format(java, jars, directory)
            await self._run(java, jars, directory)
        except BaseException:
            await self.kill()
            self._remove_thrown_away()
            raise
        _log.info("broker started", bootstrap=self.bootstrap, data=str(directory))

    async def stop(self) -> None:
        """End the broker in order; a throwaway one is killed, which is quicker."""
        if self._child is None or not self._child.running:
            return
        if self._named_dir is not None:
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
            raise self._death("ended", status)

    def _free_port(self, wanted: int | None) -> int:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, wanted or 0))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    reason, remedy = "is taken", "end the program that listens there (an earlier broker?)"
                else:
                    reason, remedy = f"cannot be used ({error.strerror})", "take one above 1023"
                raise EcgStreamError(f"port {wanted} on {HOST} {reason}: {remedy} or choose another port") from error
            return int(probe.getsockname()[1])

    def _prepared_directory(self) -> Path:
        directory = self._directory or self._named_dir
        try:
            if directory is None:
                directory = Path(tempfile.mkdtemp(prefix="ecgstream-kafka-"))
            # Absolute: Kafka runs in the directory itself.
            self._directory = directory = directory.absolute()
            (directory / "topics").mkdir(parents=True, exist_ok=True)
            (directory / "log4j2.properties").write_text(LOGGING)
            config = directory / "server.properties"
            config.touch(mode=0o600)  # it may hold passwords
            config.write_text(
                properties(
                    directory=directory,
                    port=self._port or 0,
                    controller_port=self._controller_port or 0,
                    security=self._security,
                )
            )
            free = shutil.disk_usage(directory).free
        except OSError as error:
            raise EcgStreamError(
                f"cannot write the broker's data to {directory}: {error.strerror}: "
                "make the directory writable or name another"
            ) from error
        if free < MIN_FREE_BYTES:
            self._remove_thrown_away()
            raise EcgStreamError(
                f"the disk under {directory} is full: {free >> 20} MB free, Kafka needs at least "
                f"{MIN_FREE_BYTES >> 20} MB: free some or name another directory"
            )
        return directory

    async def _format(self, java: Java, jars: str, directory: Path) -> None:
        identity = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        scram = [
            word
            for name, password in self._security.users.items()
            for word in ("--add-scram", f"SCRAM-SHA-256=[name={name},password={password}]")
        ]
        config = str(directory / "server.properties")
        tool = ["kafka.tools.StorageTool", "format", "-t", identity, "-c", config, *scram]
        child = await self._start_child(java, jars, directory, tool)
        if status := await child.ended():
            raise self._death("could not prepare its data directory: it ended", status)

    async def _run(self, java: Java, jars: str, directory: Path) -> None:
        (directory / "kafka.log").unlink(missing_ok=True)
        self._asked_to_end = False
        program = ["kafka.Kafka", str(directory / "server.properties")]
        child = await self._start_child(java, jars, directory, program)
        try:
            async with asyncio.timeout(START_S):
                while STARTED not in self._written(directory / "kafka.log"):
                    if not child.running:
                        raise self._death("ended while it started", await child.ended())
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise EcgStreamError(
                f"Kafka has not started within {START_S:g} s; {self._last_words()}: "
                "give the machine more memory or processor time"
            ) from None

    async def _start_child(self, java: Java, jars: str, directory: Path, program: list[str]) -> ChildProcess:
        child = self._child = ChildProcess(
            command(*program, java=java, jars=jars, directory=directory, heap_mb=self._heap_mb),
            output=directory / "java.log",
            directory=directory,
        )
        try:
            await child.start()
        except OSError as error:
            raise EcgStreamError(f"Java does not start: {error.strerror}: set JAVA_HOME to one that does") from error
        return child

    def _written(self, path: Path) -> str:
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - 65536))
                return file.read().decode(errors="replace")
        except OSError:
            return ""

    def _death(self, what: str, status: int) -> EcgStreamError:
        directory = self._directory or Path()
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        words = self._last_words()
        try:
            free = shutil.disk_usage(directory).free
        except OSError:
            free = 0
        if "No space left" in words or "Disk quota" in words or free < MIN_FREE_BYTES // 8:
            return EcgStreamError(
                f"Kafka {what} {how}: the disk under {directory} is full ({free >> 20} MB free): "
                "free some or name another directory; what was acknowledged is kept"
            )
        remedies = {
            "Address already in use": "another program took its port: choose another port",
            "Cluster ID": "the directory belongs to another cluster: name another directory",
            "lock": "another broker uses this directory: end it or name another directory",
            "OutOfMemoryError": "give it more heap",
        }
        remedy = next((text for sign, text in remedies.items() if sign in words), "mend that and start it again")
        return EcgStreamError(f"Kafka {what} {how}; {words}: {remedy}")

    def _last_words(self) -> str:
        """The last lines that tell of an error, or the last ones at all, as one line."""
        directory = self._directory or Path()
        lines = [
            line.strip()
            for name in ("kafka.log", "java.log")
            for line in self._written(directory / name).splitlines()
            if line.strip() and not line.startswith("\tat ")
        ]
        told = [line for line in lines if re.search(r" (ERROR|FATAL) |Exception|Error|No space left", line)]
        last = (told or lines)[-3:]
        return "its last words: " + " | ".join(line[:300] for line in last) if last else "it left no word"

    def _remove_thrown_away(self) -> None:
        if self._named_dir is None and self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
