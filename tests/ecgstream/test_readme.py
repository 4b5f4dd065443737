"""What the README and the docs tell people to do works."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from dotenv import dotenv_values

from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.messages import Message
from bus.settings import KafkaSettings
from ecgstream.settings import COMPOSE, check_variables, kinds, load, variables
from tests.alerting.alerts import alert
from tests.alerting.verdicts import verdict
from tests.deploy.programs import ROOT, debian_program
from tests.ecgstream.commands import clean_environment, status_of

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "deploy").glob("*.md")),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )*(?:time )?ecgstream [^`]+)`")
SAMPLE = alert()


def blocks(page: Path) -> list[tuple[str, str]]:
    return BLOCK.findall(page.read_text())


def shown_commands() -> list[str]:
    """Every command line of ours in a block or in running text."""
    shown: set[str] = set()
    for page in PAGES:
        for language, text in blocks(page):
            if language in {"", "sh"}:
                shown.update(line.strip() for line in text.splitlines() if line.strip().startswith("ecgstream "))
        shown.update(
            re.sub(r"^(?:[A-Z_]+=\S+ |time )+", "", " ".join(c.split())) for c in INLINE.findall(page.read_text())
        )
    return sorted(shown)


@pytest.mark.parametrize("line", shown_commands())
def test_every_command_that_is_told_exists_with_its_options(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = shlex.split(line.replace("...", ""))[1:]
    names = [word for word in arguments[:2] if re.fullmatch(r"[a-z][a-z-]*", word)]
    if names and names[0] not in {"topics", "data", "bench", "report", "compare", "alarms", "access", "samples"}:
        names = names[:1]
    assert status_of([*names, "--help"]) == 0
    text = capsys.readouterr().out
    for option in (word for word in arguments if word.startswith("-")):
        assert option in text


def test_every_make_target_that_is_told_exists() -> None:
    shown = {
        line.split()[1]
        for page in PAGES
        for language, text in blocks(page)
        if language in {"", "sh"}
        for line in text.splitlines()
        if line.startswith("make ")
    }
    assert shown >= {"demo", "test", "check"}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert shown <= targets


def test_the_table_of_settings_is_whole_and_true() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = dict(re.findall(r"^\| `(ECGSTREAM_\w+)` \|[^|]*\| (.*?) ?\|$", text, re.MULTILINE))
    assert rows.keys() == variables().keys()
    defaults = {
        name: kind.model_fields[place.split(".")[1]].default
        for name, place in variables().items()
        for kind in kinds()
        if kind.__name__ == place.split(".")[0]
    }
    for name, shown in rows.items():
        if name != "ECGSTREAM_DETECTOR_MODELS":
            assert shown == ("" if defaults[name] is None else str(defaults[name])), name


def test_the_example_of_a_settings_file_can_be_used(tmp_path: Path) -> None:
    text = re.sub(r"^#(ECGSTREAM_)", r"\1", (ROOT / ".env.example").read_text(), flags=re.MULTILINE)
    (tmp_path / ".env").write_text(text)
    assert dotenv_values(tmp_path / ".env").keys() <= variables().keys() | set(COMPOSE)
    check_variables.cache_clear()
    for kind in kinds():
        load(kind)


async def published(settings: KafkaSettings, name: str, message: Message, key: str) -> None:
    async with KafkaPublisher(settings) as publisher:
        await publisher.send(Outgoing(topic=name, key=key.encode(), value=message.to_bytes()))


def readme_block(language: str, beginning: str) -> str:
    (text,) = [text for kind, text in blocks(ROOT / "README.md") if kind == language and text.startswith(beginning)]
    return text


def fitted(example: str, settings: KafkaSettings) -> str:
    """An example of the README on this test's broker and topics."""
    return example.replace("127.0.0.1:9092", settings.bootstrap_servers).replace(
        "ecg.a", f"{settings.topic_prefix}ecg.a"
    )


@pytest.mark.broker
async def test_the_python_example_prints_an_alert(settings: KafkaSettings) -> None:
    await published(settings, topics.ALERTS, SAMPLE, SAMPLE.id)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", fitted(readme_block("python", "import"), settings), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"start p1 low 2 ventricular beats\n"
    finally:
        process.kill()
        await process.wait()


@pytest.mark.broker
async def test_the_kcat_example_prints_an_anomaly(settings: KafkaSettings) -> None:
    anomaly = verdict(3, "abnormal")
    await published(settings, topics.ANOMALIES, anomaly, anomaly.patient)
    arguments = shlex.split(fitted(readme_block("sh", "kcat"), settings))
    libraries = ":".join(map(str, (ROOT / ".tools" / "debian" / "usr" / "lib").glob("*-linux-gnu")))
    done = await asyncio.to_thread(
        subprocess.run,
        [debian_program("kcat"), *arguments[1:], "-e"],
        env=clean_environment() | {"LD_LIBRARY_PATH": f"{libraries}:{os.environ.get('LD_LIBRARY_PATH', '')}"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == b"p1 " + anomaly.to_bytes() + b"\n"
