"""Every PromQL expression that the dashboards and the alert rules hold."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DASHBOARDS = sorted((ROOT / "monitoring" / "grafana" / "dashboards").glob("*.json"))
RULES = sorted((ROOT / "monitoring" / "prometheus" / "rules").glob("*.yml"))

_NAME = re.compile(r"\b((?:ecgstream|process|python|prometheus|alertmanager)_\w+|ecgstream:[\w:]+)")


def panels(dashboard: Path) -> Iterator[dict[str, Any]]:
    """Every panel of a dashboard, those folded away in rows too."""
    for panel in json.loads(dashboard.read_text())["panels"]:
        yield panel
        yield from panel.get("panels", [])


def dashboard_queries() -> list[tuple[str, str]]:
    """Title and expression of every query, Grafana's variables replaced."""
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*"))
        for dashboard in DASHBOARDS
        for panel in panels(dashboard)
        for target in panel.get("targets", [])
    ]


def rule_queries() -> list[tuple[str, str]]:
    """Name and expression of every alert rule."""
    return [(rule["alert"], rule["expr"]) for rule in rules() if "alert" in rule]


def recorded() -> list[tuple[str, str]]:
    """Name and expression of every recording rule."""
    return [(rule["record"], rule["expr"]) for rule in rules() if "record" in rule]


def rules() -> Iterator[dict[str, Any]]:
    """Every rule, in the order of their evaluation."""
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def metric_names(expression: str) -> set[str]:
    """The metrics, as they are exported, that an expression names."""
    return set(_NAME.findall(expression))


def declared_names(page: str) -> set[str]:
    """Every series that a metrics page declares, with or without a value yet."""
    names: set[str] = set()
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", page, re.MULTILINE):
        names |= {f"{name}_{end}" for end in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return names
