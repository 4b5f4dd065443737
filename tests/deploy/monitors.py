"""The real Prometheus and Alertmanager on the project's files, addresses replaced, and a mailbox for who is told."""

import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Mapping
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from ops.ports import free_ports
from tests.deploy import compose
from tests.deploy.programs import debian_program

TEMPLATES = tuple(Path("/usr/share/prometheus/alertmanager", name) for name in ("default.tmpl", "email.tmpl"))
MONITORING = compose.ROOT / "monitoring"


class Mailbox:
    """An SMTP server that keeps what it is sent."""

    def __init__(self) -> None:
        self._mails: list[EmailMessage] = []
        (port,) = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        self._controller = Controller(self, hostname="127.0.0.1", port=port)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self._mails.append(mail)
        return "250 OK"

    def subjects(self) -> list[str]:
        return [str(mail["Subject"]) for mail in self._mails]

    def texts(self) -> list[str]:
        return [str(part.get_content()) for mail in self._mails if (part := mail.get_body(("plain",))) is not None]

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()


class _Server:
    """A server of Debian's packages in a process of its own."""

    def __init__(self, folder: Path, program: str, *arguments: str, address: str | None = None) -> None:
        self.address = address or f"127.0.0.1:{free_ports(1)[0]}"
        self._log = folder / "log"
        self._command = [debian_program(program), *arguments, f"--web.listen-address={self.address}"]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(self._command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.terminate()
        assert self._process.wait(30) == 0, self._log.read_text()[-2000:]

    def get(self, path: str) -> bytes | None:
        """A page; None while the server does not answer yet."""
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=30) as page:
                found: bytes = page.read()
                return found
        except urllib.error.HTTPError as error:
            if error.code == 503:  # still starting
                return None
            raise
        except OSError:
            return None

    def page(self) -> str:
        """Its own metrics."""
        found = self.get("/metrics")
        assert found is not None
        return found.decode()


class Alertmanager(_Server):
    """Alertmanager that sends its mail to a mailbox, and does not wait before the first."""

    def __init__(self, folder: Path, *, address: str, mail: str) -> None:
        if not all(file.is_file() for file in TEMPLATES):
            pytest.skip(f"Debian's Alertmanager needs {TEMPLATES[0].parent}: scripts/debian.sh brings it, as root")
        shutil.copy(MONITORING / "alertmanager" / "mail.tmpl", folder)
        config = yaml.safe_load((MONITORING / "alertmanager" / "alertmanager.yml").read_text())
        config["global"]["smtp_smarthost"] = mail
        config["route"]["group_wait"] = "0s"
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
        super().__init__(
            folder,
            "prometheus-alertmanager",
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'data'}",
            "--cluster.listen-address=",
            address=address,
        )


class Prometheus(_Server):
    """Prometheus that looks every second, with the services where they are here, and rings without waiting."""

    def __init__(self, folder: Path, services: Mapping[str, str], alertmanager: str) -> None:
        config = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(file) for file in self._rules(folder, config["rule_files"])]
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
        super().__init__(
            folder,
            "prometheus",
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'tsdb'}",
        )
        here = {**services, "alertmanager": alertmanager, "prometheus": self.address}
        assert {job["job_name"] for job in config["scrape_configs"]} == set(here)
        config["scrape_configs"] = [
            {"job_name": job["job_name"], "static_configs": [{"targets": [self._target(job, here)]}]}
            for job in config["scrape_configs"]
        ]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    @staticmethod
    def _rules(folder: Path, patterns: list[str]) -> list[Path]:
        """The rules as they are, but for how long a thing has to last: nobody waits for a minute here."""
        copies = []
        for file in (file for pattern in patterns for file in (MONITORING / "prometheus").glob(pattern)):
            rules = yaml.safe_load(file.read_text())
            for rule in (rule for group in rules["groups"] for rule in group["rules"]):
                rule.pop("for", None)
            copies.append(folder / file.name)
            copies[-1].write_text(yaml.safe_dump(rules))
        return copies

    @staticmethod
    def _target(job: dict[str, Any], here: Mapping[str, str]) -> str:
        name = job["job_name"]
        if name in compose.OURS:
            (found,) = job["dns_sd_configs"]
            assert found["names"] == [name]
            declared = compose.services()[name]["environment"]["ECGSTREAM_HEALTH_PORT"]
            assert str(found["port"]) == declared, "Prometheus asks the port that the compose file gives the service"
        return here[name]

    def ask(self, expression: str) -> list[Any] | None:
        """What a query gives; None while the server does not answer yet."""
        page = self.get(f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        if page is None:
            return None
        answer = json.loads(page)
        assert answer["status"] == "success", answer
        found: list[Any] = answer["data"]["result"]
        return found
