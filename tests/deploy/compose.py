"""The compose file as Compose itself reads it: anchors resolved, variables replaced."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
OURS = ("topics", "detector", "alerting", "web", "producer")

_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::-(?P<default>(?:[^{}]|\{[^{}]*\})*))?\}")


def load(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
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

    loaded: dict[str, Any] = replaced(yaml.safe_load(FILE.read_text()))
    for service in loaded["services"].values():
        given = service.get("environment", {})
        filled = {key: values.get(key) if value is None else value for key, value in given.items()}
        service["environment"] = {key: value for key, value in filled.items() if value is not None}
    return loaded


def services() -> dict[str, dict[str, Any]]:
    """Every service by name."""
    found: dict[str, dict[str, Any]] = load()["services"]
    return found
