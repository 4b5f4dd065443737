"""Prometheus' rules and Grafana's files, without either server."""

from pathlib import Path

import pytest
import yaml
from prometheus_client import generate_latest

from alerting.metrics import AlertingMetrics
from detector.metrics import DetectorMetrics
from ecgstream.services import own_registry
from gateway.metrics import GatewayMetrics
from monitoring.grafana.boards import files
from producer.metrics import ReplayMetrics
from scripts.check_links import anchors
from tests.deploy.programs import debian_program, run
from tests.monitoring.queries import (
    DASHBOARDS,
    ROOT,
    dashboard_queries,
    declared_names,
    metric_names,
    panels,
    recorded,
    rule_queries,
    rules,
)
from web.metrics import WebMetrics

RULE_TESTS = sorted((ROOT / "tests" / "monitoring").glob("*_test.yml"))
PROMETHEUS = ROOT / "monitoring" / "prometheus" / "prometheus.yml"
PROVISIONING = ROOT / "monitoring" / "grafana" / "provisioning"


def test_prometheus_takes_its_configuration() -> None:
    run(debian_program("promtool"), "check", "config", "monitoring/prometheus/prometheus.yml")


@pytest.mark.parametrize("file", RULE_TESTS, ids=lambda path: path.name)
def test_the_rules_ring_when_they_should_and_only_then(file: Path) -> None:
    run(debian_program("promtool"), "test", "rules", file)


@pytest.mark.parametrize("name", ["alertmanager.yml", "smtp.example.yml"])
def test_alertmanager_takes_its_configuration(name: str) -> None:
    run(debian_program("amtool"), "check-config", f"monitoring/alertmanager/{name}")


def test_every_rule_has_its_test() -> None:
    tested = {
        case["alertname"]
        for file in RULE_TESTS
        for test in yaml.safe_load(file.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert tested == {name for name, _ in rule_queries()}


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in rules():
        if "alert" in rule:
            assert rule["labels"]["severity"] in {"critical", "warning"} or rule["alert"] == "Watchdog"
            assert set(rule["annotations"]) == {"summary", "remedy", "runbook"}


def test_every_alert_leads_to_its_place_in_the_runbook() -> None:
    found = {rule["alert"]: rule["annotations"]["runbook"] for rule in rules() if "alert" in rule}
    assert found == {name: f"docs/runbook.md#{name.lower()}" for name in found}
    headings = anchors((ROOT / "docs" / "runbook.md").read_text())
    assert {name.lower() for name in found} <= headings


def test_every_job_that_is_scraped_is_missed_when_it_vanishes() -> None:
    jobs = {job["job_name"] for job in yaml.safe_load(PROMETHEUS.read_text())["scrape_configs"]}
    assert jobs == {"producer", "gateway", "detector", "alerting", "web", "prometheus", "alertmanager"}
    expressions = dict(rule_queries())
    for job in ("detector", "alerting", "web"):
        assert f'absent(up{{job="{job}"}})' in expressions["ServiceVanished"]
    assert "unless group by (job) (up)" in expressions["ServiceVanished"]
    assert expressions["ServiceDown"] == "up == 0"


def test_the_dashboards_are_those_of_the_code() -> None:
    assert {path.name: path.read_text() for path in DASHBOARDS} == files(), "run: python -m monitoring.grafana"


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


@pytest.mark.parametrize(
    ("title", "expression"), [*dashboard_queries(), *rule_queries(), *recorded()], ids=lambda text: text[:40]
)
def test_queries_name_only_metrics_that_the_services_have(title: str, expression: str) -> None:
    registry = own_registry()
    AlertingMetrics(registry)
    DetectorMetrics(registry)
    GatewayMetrics(registry)
    ReplayMetrics(registry)
    WebMetrics(registry)
    names = metric_names(expression)
    # What the two servers export is held against the real ones in tests/deploy/test_services.py.
    ours = {name for name in names if not name.startswith(("prometheus_", "alertmanager_"))}
    assert ours <= declared_names(generate_latest(registry).decode()) | {name for name, _ in recorded()}, title
    assert names or "up" in expression or expression == "vector(1)"
