"""Services as child processes: the very commands that containers run.

The kernel ends them when this process ends, however it ends; Ctrl-C reaches this process alone, which then ends them
in order.
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

from bus.broker_process import ChildProcess
from bus.settings import KafkaSettings
from ecg.errors import EcgStreamError
from ecgstream.settings import with_new_names
from ops.ports import free_ports

END_S = 15.0  # a service that has not ended so long after SIGTERM is killed
READY_S = 180.0  # a service that is not at work so long after its start never will be
ASK_EVERY_S = 0.05
LAST_LINES = 3  # lines of a dead command's log that are told


class Program:
    """A program in a process of its own.

    Parameters
    ----------
    title : what people call it
    arguments : the program and its arguments
    log : file for its output
    environment : all variables that it finds
    """

    def __init__(self, title: str, arguments: Sequence[str], *, log: Path, environment: Mapping[str, str]) -> None:
        self._title = title
        self._command = list(arguments)
        self._log = log
        self._environment = dict(environment)
        self._process: ChildProcess | None = None
        self._asked_to_end = False

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RuntimeError("the program has not been started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Return whether it has been started and has not ended."""
        return self._process is not None and self._process.running

    async def start(self) -> None:
        """Start it, or start it anew."""
        self._asked_to_end = False
        self._process = ChildProcess(
            self._command, output=self._log, directory=Path.cwd(), environment=self._environment
        )
        await self._process.start()

    async def check(self) -> None:
        """Complain when it has failed.

        Raises
        ------
        EcgStreamError : with its last words
        """
        if self._process is None or self._process.running or self._asked_to_end:
            return
        status = await self._process.ended()
        if status == 0:
            return
        text = await asyncio.to_thread(self._log.read_text, errors="replace")
        said = [line for line in text.splitlines() if line.strip() and not _routine(line)]
        last = "; ".join(said[-LAST_LINES:]) or "it said nothing"
        raise EcgStreamError(f"'{self._title}' ended with status {status}: {last}")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        if self._process is not None:
            self._process.signal(number)

    async def kill(self) -> None:
        """SIGKILL: it ends without a word."""
        self._asked_to_end = True
        self.send(signal.SIGKILL)
        if self._process is not None:
            await self._process.ended()

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that does not help."""
        self._asked_to_end = True
        self.send(signal.SIGTERM)
        if self._process is None:
            return
        try:
            await asyncio.wait_for(self._process.ended(), END_S)
        except TimeoutError:
            await self.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


class Command(Program):
    """A command of this program in a process of its own.

    Parameters
    ----------
    name : of its log file; unique in ``logs``
    arguments : the command line behind ``ecgstream``
    kafka : the Kafka that it works on
    logs : folder for its output
    environment : variables that it finds beside those that this class sets
    """

    def __init__(
        self, name: str, *arguments: str, kafka: KafkaSettings, logs: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        (self.health_port,) = free_ports(1)
        found = with_new_names(os.environ) | {
            "ECGSTREAM_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "ECGSTREAM_TOPIC_PREFIX": kafka.topic_prefix,
            "ECGSTREAM_PARTITIONS": str(kafka.partitions),
            "ECGSTREAM_REPLICATION": str(kafka.replication),
            "ECGSTREAM_SECURITY_PROTOCOL": kafka.security_protocol,
            "ECGSTREAM_CONNECT_TIMEOUT_S": str(kafka.connect_timeout_s),
            "ECGSTREAM_INSTANCE": f"{name}-{os.getpid()}",
            "ECGSTREAM_HEALTH_HOST": "127.0.0.1",
            "ECGSTREAM_LOG_FORMAT": "json",
            "ECGSTREAM_HEALTH_PORT": str(self.health_port),
        }
        found |= environment or {}
        # What is thrown away at the end is not for the user's own history, unless that was asked for.
        found.setdefault("ECGSTREAM_ALERTING_ALARM_DB", f"sqlite:///{logs.absolute()}/alarms.sqlite")
        found.setdefault("ECGSTREAM_WEB_STATE", str(logs.absolute() / "web"))
        super().__init__(
            f"ecgstream {arguments[0]}",
            [sys.executable, "-m", "ecgstream", *arguments],
            log=logs / f"{name}.log",
            environment=found,
        )

    async def ready(self) -> None:
        """Wait until it says that it is at work.

        Raises
        ------
        EcgStreamError : when it ends instead, or is not ready in time
        """
        until_s = time.monotonic() + READY_S
        while time.monotonic() < until_s:
            await self.check()
            try:
                await asyncio.to_thread(self.page, "readyz")
            except (URLError, OSError):
                await asyncio.sleep(ASK_EVERY_S)
            else:
                return
        raise EcgStreamError(f"'{self._title}' was not ready after {READY_S:g} s: see what else runs on this machine")

    def page(self, path: str) -> str:
        """A page of its health endpoint, such as "metrics"; blocks.

        Raises
        ------
        OSError : when it does not answer, or answers that it is not well
        """
        with urlopen(f"http://127.0.0.1:{self.health_port}/{path}", timeout=10) as answer:
            text: str = answer.read().decode()
            return text


def _routine(line: str) -> bool:
    """Return whether a line of a log tells of nothing wrong."""
    try:
        return json.loads(line)["level"] in {"debug", "info"}
    except (ValueError, TypeError, KeyError):
        return False
