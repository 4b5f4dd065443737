"""The compose file as Compose itself reads it: anchors resolved, variables replaced."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
RESET = object()
SECURE = ROOT / "docker-compose.secure.yml"
DEVICES = ROOT / "docker-compose.devices.yml"
OURS = ("topics", "detector", "alerting", "web", "gateway", "producer")

_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::-(?P<default>(?:[^{}]|\{[^{}]*\})*))?\}")


class _WithReset(yaml.SafeLoader):
    """Reads ``!reset null`` as what takes a value away."""


_WithReset.add_constructor("!reset", lambda _loader, _node: RESET)


def load(
    environment: Mapping[str, str] | None = None, *, secure: bool = False, devices: bool = False
) -> dict[str, Any]:
    """The compose file with ``${NAME:-default}`` replaced, and settings without a value filled in or left out."""
    values = environment or {}

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return values.get(match["name"]) or _VARIABLE.sub(value, match["default"] or "")

    def replaced(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: replaced(child) for key, child in node.items()}
        if isinstance(node, list):
            return [replaced(child) for child in node]
        return _VARIABLE.sub(value, node) if isinstance(node, str) else node

    read = yaml.safe_load(FILE.read_text())
    for file in [DEVICES] * devices + [SECURE] * secure:
        read = _merged(read, yaml.load(file.read_text(), _WithReset))  # noqa: S506  # a safe one
    loaded: dict[str, Any] = replaced(read)
    for service in loaded["services"].values():
        given = service.get("environment", {})
        filled = {key: values.get(key) if value is None else value for key, value in given.items()}
        service["environment"] = {key: value for key, value in filled.items() if value is not None}
    return loaded


def _merged(below: Any, above: Any, key: str = "") -> Any:
    """A file laid over another: mappings are merged, lists go on, and what is a command is replaced."""
    if isinstance(below, dict) and isinstance(above, dict):
        both = below | {name: _merged(below.get(name), value, name) for name, value in above.items()}
        return {name: value for name, value in both.items() if value is not RESET}
    if isinstance(below, list) and isinstance(above, list) and key not in {"command", "entrypoint", "test"}:
        return below + above
    return above


def services() -> dict[str, dict[str, Any]]:
    """Every service by name."""
    found: dict[str, dict[str, Any]] = load()["services"]
    return found
