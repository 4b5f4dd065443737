"""Real commands of this program as child processes: what the demo and the evaluation run is the real system."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from bus.broker_process import ChildProcess
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError

HOST = "127.0.0.1"
START_S = 90.0  # models and scientific libraries load in 3 s; a loaded two-core machine takes 20
STOP_S = 15.0  # a service commits what is pending within 2 s
POLL_S = 0.1
LOG_TAIL_BYTES = 16_384


def free_port() -> int:
    """A port on this machine that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class OwnCommand:
    """One command of this program as a child, which the kernel ends when this process ends.

    Parameters
    ----------
    name : names the instance and the log
    words : the command line behind ``ecgstream``
    kafka : the broker, on this machine without TLS or passwords; topics' prefix and partition count
    logs : the folder for its log
    """

    def __init__(self, name: str, *words: str, kafka: KafkaSettings, logs: Path) -> None:
        self.name = name
        self.log = logs / f"{name}.log"
        self.health_port = free_port()
        self._words = words
        self._environment = self._own_environment(kafka)
        self._child: ChildProcess | None = None

    def _own_environment(self, kafka: KafkaSettings) -> Mapping[str, str]:
        # Set and not just left out: `.env` could say otherwise, and the environment wins over it.
        return os.environ | {
            "ECGSTREAM_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "ECGSTREAM_TOPIC_PREFIX": kafka.topic_prefix,
            "ECGSTREAM_PARTITIONS": str(kafka.partitions),
            "ECGSTREAM_REPLICATION": "1",
            "ECGSTREAM_SECURITY_PROTOCOL": "PLAINTEXT",
            "ECGSTREAM_INSTANCE": self.name,
            "ECGSTREAM_HEALTH_HOST": HOST,
            "ECGSTREAM_HEALTH_PORT": str(self.health_port),
            "ECGSTREAM_LOG_FORMAT": "json",
        }

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.running

    async def start(self) -> None:
        """Start it, or start it again."""
        self._child = ChildProcess(
            [sys.executable, "-m", "ecgstream", *self._words],
            output=self.log,
            directory=Path.cwd(),
            environment=self._environment,
        )
        await self._child.start()

    async def ready(self) -> None:
        """Wait until it says that it is ready.

        Raises
        ------
        EcgStreamError : when it ends before, or takes too long
        """
        try:
            async with asyncio.timeout(START_S):
                while not await self._says_ready():
                    await self.check()
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            raise EcgStreamError(
                f"{self.name} is not ready after {START_S:g} s; {self._last_words()}: is the machine overloaded?"
            ) from None

    async def _says_ready(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(HOST, self.health_port)
        except OSError:
            return False
        try:
            writer.write(b"GET /readyz HTTP/1.0\r\n\r\n")
            return b" 200 " in await reader.readline()
        except OSError:
            return False
        finally:
            writer.close()

    async def check(self) -> None:
        """Nothing while it runs.

        Raises
        ------
        EcgStreamError : when it has ended with an error
        """
        if self._child is not None and not self._child.running and (status := await self._child.ended()):
            raise EcgStreamError(f"{self.name} ended with status {status}; {self._last_words()}")

    async def stop(self) -> None:
        """Ask it to end, and end it by force when it does not."""
        if self._child is None or not self._child.running:
            return
        for number, wait_s in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
            self._child.signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.ended(), wait_s)
                return

    def _last_words(self) -> str:
        """What it wrote last that was no routine, as part of one line."""
        try:
            lines = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").splitlines()
        except OSError:
            lines = []
        told = [line for line in lines if line.strip() and not _routine(line)]
        return f"its last words: {told[-1][:500]}" if told else "it left no word"


def _routine(line: str) -> bool:
    try:
        return json.loads(line).get("level") in {"debug", "info"}
    except (ValueError, AttributeError):
        return False
