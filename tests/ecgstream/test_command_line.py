"""The command line: what there is, exit statuses, and one line for each error."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ecg.errors import EcgStreamError
from ecgstream.failures import one_line
from tests.ecgstream.commands import clean_environment, start, status_of

# What other programs call: commands with the options that they use.
CALLED = {
    "demo": ["--record", "--data", "--speed", "--duration", "--json"],
    "broker": ["--data", "--port"],
    "web": [],
    "web-token": [],
    "certificates": ["--host", "--days"],
    "access apply": ["--passwords"],
    "access check": [],
    "gateway": ["--host", "--port", "--devices", "--health-port"],
    "send": ["--patient", "--fs", "--leads", "--unit", "--gain", "--format", "--until-end", "--url"],
    "device-token": ["--patient"],
    "train-ecg5000": [],
    "train-beats": ["--databases"],
    "report record": [],
    "report data": [],
    "topics backup": ["--hours"],
    "topics check": [],
    "topics create": ["--access"],
    "topics grow": ["--partitions", "--force"],
    "topics restore": [],
    "replay": ["--data", "--record", "--patients", "--speed", "--chunk-ms", "--loop"],
    "detect": ["--models", "--instance", "--health-port"],
    "alert": ["--instance", "--health-port"],
    "subscribe": ["--patient", "--from-beginning", "--json"],
    "alarms list": [],
    "alarms ack": [],
    "alarms silence": [],
    "alarms unsilence": [],
    "alarms deliveries": [],
    "alarms channels": [],
    "alarms history": ["--patient", "--priority", "--state", "--from", "--to", "--limit", "--after", "--json"],
    "alarms show": ["--json"],
    "alarms export": ["--format", "--from", "--to"],
    "score": ["--json"],
    "digitise": ["--out", "--layout", "--leads", "--speed", "--gain", "--px-per-mm", "--json"],
    "convert": ["--format", "--out", "--start", "--seconds", "--force", "--fs", "--leads", "--unit", "--json"],
    "samples export": ["--patient", "--from", "--to", "--format", "--out", "--json"],
    "samples record": ["--patient", "--out"],
    "train": ["--data"],
    "export": ["--data", "--sign"],
    "sign-models": ["--key"],
    "score-reference": ["--data"],
    "evaluate": ["--data", "--records", "--database", "--annotator", "--path", "--disturb", "--html", "--json"],
    "bench capacity": ["--patients", "--duration", "--json"],
    "bench latency": ["--patients", "--duration", "--json"],
    "bench core": ["--patients", "--chunk-ms", "--gather-ms", "--json"],
    "bench alarms": [],
    "bench flood": [],
    "bench gateway": ["--devices", "--duration", "--chunk-ms", "--json"],
    "bench lethal": [],
    "bench page": [],
    "bench paper": ["--pages", "--seed", "--without", "--pictures", "--json"],
    "bench peers": ["--patients", "--duration", "--peers", "--kill", "--seed", "--search", "--json"],
    "bench score": ["--record", "--length", "--json"],
    "bench starts": [],
    "bench cluster": ["--detectors", "--patients", "--calm", "--json"],
    "bench live": ["--patients", "--clients", "--duration", "--json"],
    "bench monitoring": ["--patients", "--duration", "--json"],
    "bench models": ["--records", "--keep", "--json"],
    "models list": ["--json"],
    "models check": ["--json"],
    "models shadow": ["--bootstrap-servers", "--most", "--strips", "--json"],
    "compare fit": ["--data", "--seeds", "--workers"],
    "compare score": ["--data", "--records", "--json"],
    "compare groups": [],
    "compare beats": [],
    "compare strips": ["--draws", "--json"],
    "chaos": ["--faults", "--seed", "--kinds", "--service", "--json"],
    "data fetch": [],
    "data check": [],
    "doctor": ["--json"],
}


@pytest.mark.parametrize("command", CALLED)
def test_every_command_is_there_with_its_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of([*command.split(), "--help"]) == 0
    text = capsys.readouterr().out
    for option in CALLED[command]:
        assert option in text


def test_help_has_every_command_under_the_heading_of_its_group(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["--help"]) == 0
    groups: dict[str, list[str]] = {}
    for line in capsys.readouterr().out.splitlines():
        if line.endswith(":") and not line.startswith((" ", "Options")):
            groups[line[:-1]] = []
        elif groups and line.strip():
            groups[list(groups)[-1]].append(line.split()[0])
    assert [heading.lower() for heading in groups] == ["run", "alarms", "models", "measure", "maintain"]
    shown = [name for names in groups.values() for name in names]
    assert len(shown) == len(set(shown))
    assert set(shown) == {command.split()[0] for command in CALLED}


def test_help_imports_nothing_heavy() -> None:
    heavy = "{'numpy', 'scipy', 'pydantic', 'aiokafka', 'onnxruntime', 'rich', 'torch', 'wfdb', 'structlog'}"
    code = (
        "import sys\n"
        "from ecgstream.__main__ import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"sys.exit(', '.join({heavy} & sys.modules.keys()) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["demo", "--no-such-option"],
        ["replay", "--speed", "fast"],
        ["replay", "--speed", "0"],
        ["subscribe", "beats"],
        ["score"],
        ["detect", "--health-port", "70000"],
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["score", "nowhere.csv"], "there is no file nowhere.csv"),
        (["demo", "--record", "100"], "run 'ecgstream data fetch'"),
        (["replay", "--data", "nowhere", "--record", "100"], "nowhere"),
        (["detect", "--models", "nowhere", "--bootstrap-servers", "127.0.0.1:1"], "no Kafka at 127.0.0.1:1"),
        (["evaluate", "--records", ","], "names no record"),
    ],
)
def test_an_error_is_one_line_and_exits_with_1(arguments: list[str], line: str, tmp_path: Path) -> None:
    environment = {
        "XDG_CACHE_HOME": str(tmp_path),
        "ECGSTREAM_CONNECT_TIMEOUT_S": "0.5",
        "ECGSTREAM_LOG_LEVEL": "error",
    }
    with start(*arguments, directory=tmp_path, environment=environment) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    assert out == ""
    assert err.startswith("ecgstream: ")
    assert line in err
    assert err.count("\n") == 1


def test_debug_shows_where_wherever_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(["score", "nowhere.csv", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert status_of(["score", "nowhere.csv"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_an_unforeseen_error_is_one_line_too() -> None:
    assert one_line(ValueError("a\nb")) == "ValueError: a b: run it again with --debug to see where"
    assert (
        one_line(ExceptionGroup("several", [EcgStreamError("x=1 is above 0: lower it")])) == "x=1 is above 0: lower it"
    )


def test_a_reader_that_closes_early_is_no_error(tmp_path: Path) -> None:
    np.save(tmp_path / "flat.npy", np.zeros((36_000 * 10, 1), np.int16))
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "ecgstream", "score", "flat.npy", "--fs", "360"],
        cwd=tmp_path,
        env=clean_environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=120,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
