"""Workflows of GitHub: nothing that another could change, no right that is not needed, and commands that there are."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.compose import ROOT
from tests.deploy.programs import program, run

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> Any:
    path: Path = request.param
    return yaml.safe_load(path.read_text())


def steps(workflow: Any) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def test_zizmor_finds_nothing() -> None:
    zizmor = program("zizmor")
    assert zizmor, "zizmor is missing: run 'make setup-dev'"
    run(zizmor, "--offline", "--persona", "auditor", "--no-progress", *WORKFLOWS)


def test_every_action_is_named_by_its_commit(workflow: Any) -> None:
    for step in (step for step in steps(workflow) if "uses" in step):
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step


def test_no_job_has_more_rights_than_it_asks_for_and_none_runs_for_ever(workflow: Any) -> None:
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]["contents"] in {"read", "write"}
        assert job["timeout-minutes"] <= 120


def test_what_a_workflow_runs_is_there(workflow: Any) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for step in (step for step in steps(workflow) if "run" in step):
        assert set(re.findall(r"^make ([a-z-]+)", step["run"], re.MULTILINE)) <= targets
        for script in re.findall(r"scripts/[\w.]+", step["run"]):
            assert (ROOT / script).is_file(), script


def test_the_newest_python_that_is_tested_is_one_that_the_project_takes() -> None:
    check = yaml.safe_load((ROOT / ".github" / "workflows" / "check.yml").read_text())
    assert check["jobs"]["test"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
