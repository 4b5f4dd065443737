"""The compose file's own services as plain processes: its commands, environment and order, on a broker of the tests.

Only what cannot be the same outside containers is changed: the broker's address, the health endpoint's address, and
the paths of the container's file system.
"""

import asyncio
import contextlib
import graphlib
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bus.settings import KafkaSettings
from ops.ports import free_ports
from tests.deploy import compose
from tests.support.waiting import until

CHOSEN = {
    "ECGSTREAM_COMPOSE_SPEED": "20",
    "ECGSTREAM_COMPOSE_PATIENTS": "2",
}  # as a user would, before `docker compose up`
READY_S = 120.0
_IMAGE_ENV = re.compile(r"^(?:ENV)?\s+(\w+)=(\S+)(?: \\)?$", re.MULTILINE)


def image_environment() -> dict[str, str]:
    """What the Dockerfile's last stage puts into the environment."""
    text = (compose.ROOT / "Dockerfile").read_text()
    return dict(_IMAGE_ENV.findall(text[text.rindex("\nFROM ") :]))


@dataclass(slots=True, kw_only=True)
class Running:
    """A service's process."""

    name: str
    spec: Mapping[str, Any]
    process: subprocess.Popen[bytes]
    environment: Mapping[str, str]
    log: Path

    @property
    def port(self) -> int:
        return int(self.environment["ECGSTREAM_HEALTH_PORT"])

    def said(self) -> str:
        return f"{self.name} ({self.process.poll()}):\n{self.log.read_text()[-4000:]}"

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the service; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as page:
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def healthy(self) -> bool:
        assert self.process.poll() is None, f"ended while it was waited for: {self.said()}"
        return self.get("/readyz")[0] == 200


@dataclass(slots=True, kw_only=True)
class Stack:
    """All that runs."""

    kafka: KafkaSettings
    services: dict[str, Running]

    def metrics(self) -> dict[str, str]:
        """The metrics page of each service."""
        return {name: each.get("/metrics")[1] for name, each in self.services.items()}


def start(name: str, spec: Mapping[str, Any], kafka: KafkaSettings, folder: Path) -> Running:
    """Start a service as its container would."""
    home = folder / name
    home.mkdir()
    (folder / "data").mkdir(exist_ok=True)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ECGSTREAM_")}
    declared = image_environment() | spec["environment"]
    outside = {
        "ECGSTREAM_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "ECGSTREAM_TOPIC_PREFIX": kafka.topic_prefix,
        "ECGSTREAM_HEALTH_HOST": "127.0.0.1",
        "ECGSTREAM_HEALTH_PORT": str(free_ports(1)[0]),
        "ECGSTREAM_DATA_DIR": str(folder / "data"),
        "ECGSTREAM_WEB_PORT": str(free_ports(1)[0]),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "XDG_STATE_HOME": str(folder / "state"),
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "PATH": inherited.get("PATH", os.defpath),
        "PYTHONPATH": str(compose.ROOT),
    }
    environment = inherited | declared | outside
    log = home / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "ecgstream", *spec["command"]],
            cwd=home,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    return Running(name=name, spec=spec, process=process, environment=environment, log=log)


async def bring_up(running: dict[str, Running], kafka: KafkaSettings, folder: Path) -> None:
    """Start what is ours in the order that the compose file asks for, each once its conditions hold."""
    specs = {name: spec for name, spec in compose.load(CHOSEN)["services"].items() if name in compose.OURS}
    needs = {name: [n for n in spec.get("depends_on", {}) if n in specs] for name, spec in specs.items()}
    for name in graphlib.TopologicalSorter(needs).static_order():
        for other in needs[name]:
            before = running[other]
            if specs[name]["depends_on"][other]["condition"] == "service_healthy":
                await until(before.healthy, deadline_s=READY_S)
            else:
                await until(lambda before=before: before.process.poll() is not None, deadline_s=READY_S)  # type: ignore[misc] # a default binds
                assert before.process.returncode == 0, before.said()
        running[name] = start(name, specs[name], kafka, folder)
    for name, each in running.items():
        if not specs[name]["healthcheck"].get("disable"):
            await until(each.healthy, deadline_s=READY_S)


@contextlib.contextmanager
def stack(bootstrap: str, folder: Path) -> Iterator[Stack]:
    """All services of ours, running and ready; at the end each must leave in order when it is told to."""
    kafka = KafkaSettings(bootstrap_servers=bootstrap, topic_prefix=f"test-{uuid.uuid4().hex[:12]}.")
    running: dict[str, Running] = {}
    try:
        asyncio.run(bring_up(running, kafka, folder))
        lasting = {name: each for name, each in running.items() if each.process.poll() is None}
        yield Stack(kafka=kafka, services=lasting)
        for each in lasting.values():
            each.process.send_signal(signal.SIGTERM)
        for each in lasting.values():
            grace_s = float(str(each.spec["stop_grace_period"]).removesuffix("s"))
            assert each.process.wait(grace_s) == 0, each.said()
    finally:
        for each in running.values():
            each.process.kill()
            each.process.wait()
