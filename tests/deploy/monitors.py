"""The real Prometheus and Alertmanager on the project's files, in the containers that the compose file gives them."""

import json
import shutil
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from tests.deploy import compose
from tests.deploy.container import Container
from tests.deploy.programs import debian_program
from tests.deploy.stack import Stack

TEMPLATES = tuple(Path("/usr/share/prometheus/alertmanager", name) for name in ("default.tmpl", "email.tmpl"))
MONITORING = compose.ROOT / "monitoring"
_NOBODY = 65534  # as whom both images run


def _folder(stack: Stack, name: str) -> Path:
    made = stack.folder / name
    made.mkdir()
    return made


class _Server:
    """A server of Debian's packages, in the container that the compose file gives it."""

    def __init__(self, stack: Stack, name: str, program: str, configuration: Path) -> None:
        declared = stack.specs[name]
        port = declared["ports"][0].rpartition(":")[2]
        self.address = f"{stack.network[name]}:{port}"
        mounts = stack.mounts(name, _NOBODY)
        (place,) = (target for target in mounts if target.startswith("/etc/"))
        mounts[place] = (configuration, False)
        command = [debian_program(program), *declared["command"], f"--web.listen-address={self.address}"]
        environment = {"PATH": "/usr/bin:/bin"}
        self._spec = stack.spec(name, command, f"{_NOBODY}:{_NOBODY}", environment, mounts)
        self._folder = stack.folder / name
        self.container: Container

    def __enter__(self) -> Self:
        self.container = Container(spec=self._spec, folder=self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.container.process.terminate()
            assert self.container.process.wait(30) == 0, self.container.said()
        finally:
            self.container.close()

    def get(self, path: str) -> bytes | None:
        """A page; None while the server does not answer yet."""
        assert self.container.running, self.container.said()
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
    """Alertmanager that does not wait before the first mail."""

    def __init__(self, stack: Stack) -> None:
        if not all(file.is_file() for file in TEMPLATES):
            pytest.skip(f"Debian's Alertmanager needs {TEMPLATES[0].parent}: scripts/debian.sh brings it, as root")
        folder = _folder(stack, "alertmanager-configuration")
        shutil.copy(MONITORING / "alertmanager" / "mail.tmpl", folder)
        config = yaml.safe_load((MONITORING / "alertmanager" / "alertmanager.yml").read_text())
        config["route"]["group_wait"] = "0s"
        (folder / "alertmanager.yml").write_text(yaml.safe_dump(config))
        super().__init__(stack, "alertmanager", "prometheus-alertmanager", folder)


class Prometheus(_Server):
    """Prometheus that looks every second and rings without waiting; it asks addresses where compose has names."""

    def __init__(self, stack: Stack) -> None:
        folder = _folder(stack, "prometheus-configuration")
        config = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [f"/etc/prometheus/{file.name}" for file in self._rules(folder, config["rule_files"])]
        (server,) = config["alerting"]["alertmanagers"]
        config["alerting"] = {"alertmanagers": [self._found(server, stack)]}
        super().__init__(stack, "prometheus", "prometheus", folder)
        config["scrape_configs"] = [
            {"job_name": job["job_name"], **self._found(job, stack, own=self.address)}
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
    def _found(asked: dict[str, Any], stack: Stack, own: str = "") -> dict[str, Any]:
        """The addresses behind names: no DNS tells them here."""
        if "static_configs" in asked:
            return {"static_configs": [{"targets": [own]}]}
        (found,) = asked["dns_sd_configs"]
        (name,) = found["names"]
        return {"static_configs": [{"targets": [f"{stack.network[name]}:{found['port']}"]}]}

    def ask(self, expression: str) -> list[Any] | None:
        """What a query gives; None while the server does not answer yet."""
        page = self.get(f"/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        if page is None:
            return None
        answer = json.loads(page)
        assert answer["status"] == "success", answer
        found: list[Any] = answer["data"]["result"]
        return found
