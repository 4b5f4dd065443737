"""Prometheus' rules and Grafana's files, without either server."""

from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from alerting.metrics import AlertingMetrics
from detector.metrics import DetectorMetrics
from producer.metrics import ReplayMetrics
from tests.deploy.programs import debian_program, run
from tests.monitoring.queries import (
    DASHBOARDS,
    ROOT,
    RULES,
    dashboard_queries,
    declared_names,
    metric_names,
    panels,
    rule_queries,
)
from web.metrics import WebMetrics

PROVISIONING = ROOT / "monitoring" / "grafana" / "provisioning"


def test_prometheus_takes_its_configuration() -> None:
    run(debian_program("promtool"), "check", "config", "monitoring/prometheus/prometheus.yml")


def test_the_rules_ring_when_they_should_and_only_then() -> None:
    run(debian_program("promtool"), "test", "rules", "tests/monitoring/rules_test.yml")


def test_every_rule_has_its_test() -> None:
    tested = {
        case["alertname"]
        for test in yaml.safe_load((ROOT / "tests/monitoring/rules_test.yml").read_text())["tests"]
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert tested == {name for name, _ in rule_queries()}


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    for file in RULES:
        for group in yaml.safe_load(file.read_text())["groups"]:
            for rule in group["rules"]:
                assert rule["labels"]["severity"] in {"critical", "warning"}
                assert set(rule["annotations"]) == {"summary", "remedy"}


def test_prometheus_understands_every_query_of_the_dashboards(tmp_path: Path) -> None:
    rules = [{"record": f"q:{number}", "expr": expr} for number, (_, expr) in enumerate(dashboard_queries())]
    assert rules
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": rules}]}))
    run(debian_program("promtool"), "check", "rules", file)


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.name)
def test_panels_are_told_apart_and_explained(dashboard: Path) -> None:
    found = list(panels(dashboard))
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        if panel["type"] != "row":
            assert panel["description"]
            assert panel["targets"]
            assert panel["fieldConfig"]["defaults"]["unit"]


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda path: path.name)
def test_panels_do_not_overlap(dashboard: Path) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels(dashboard):
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, "Grafana's grid is 24 wide"
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def test_panels_ask_the_provisioned_datasource() -> None:
    sources = yaml.safe_load((PROVISIONING / "datasources" / "prometheus.yml").read_text())["datasources"]
    uids = {source["uid"] for source in sources}
    for dashboard in DASHBOARDS:
        for panel in panels(dashboard):
            for target in panel.get("targets", []):
                assert target["datasource"]["uid"] in uids


@pytest.mark.parametrize(("title", "expression"), [*dashboard_queries(), *rule_queries()], ids=lambda text: text[:40])
def test_queries_name_only_metrics_that_the_services_have(title: str, expression: str) -> None:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    AlertingMetrics(registry)
    DetectorMetrics(registry)
    ReplayMetrics(registry)
    WebMetrics(registry)
    names = metric_names(expression)
    assert names <= declared_names(generate_latest(registry).decode()), title
    assert names or "up" in expression
