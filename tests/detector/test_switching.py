"""A switch of the models while the detector runs."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from bus import topics
from bus.messages import Verdict
from bus.settings import KafkaSettings
from detector.service import run
from detector.settings import DetectorSettings
from ecg.records import Record
from models import SHIPPED
from tests.detector.test_service import read, replay
from tests.support.own_models import write_model
from tests.support.waiting import until


def value(registry: CollectorRegistry, name: str) -> float:
    return registry.get_sample_value(f"ecgstream_detector_{name}") or 0.0


@pytest.mark.broker
async def test_running_detector_takes_what_is_put_there_and_judges_each_window_once(
    settings: KafkaSettings, excerpt: Record, tmp_path: Path
) -> None:
    folder, registry, stop = tmp_path / "models", CollectorRegistry(), asyncio.Event()
    folder.symlink_to(SHIPPED)
    detector = asyncio.create_task(
        run(settings, DetectorSettings(_env_file=None, models=folder), stop, registry=registry)
    )
    try:
        await replay(settings, excerpt, chunk_ms=1000)
        await read(settings, topics.WINDOWS, 60)
        # One that does not fit changes nothing.
        turn(folder, write_model(tmp_path / "wrong", shape=(1, 1, 500)))
        await until(lambda: value(registry, "model_switch_failures_total") == 1)
        assert value(registry, "model_switches_total") == 0
        turn(folder, write_model(tmp_path / "own"))
        await until(lambda: value(registry, "model_switches_total") == 1)
        # A manifest that is written anew in its place is another one, too.
        shutil.copyfile(
            write_model(tmp_path / "next", name="next") / "manifest.json", tmp_path / "own" / "manifest.json"
        )
        await until(lambda: value(registry, "model_switches_total") == 2)
        await replay(settings, renamed(excerpt), chunk_ms=1000)
        found = [Verdict.model_validate_json(each) for each in await read(settings, topics.WINDOWS, 120)]
    finally:
        stop.set()
        await detector
    assert len({each.id for each in found}) == len(found) == 120
    assert {each.models["cnn"].partition("-")[0] for each in found if each.patient == excerpt.name} == {"cnn"}
    assert {each.models["cnn"].partition("-")[0] for each in found if each.patient != excerpt.name} == {"next"}


def turn(link: Path, target: Path) -> None:
    """Let a link show elsewhere, in one step."""
    beside = link.with_name("turned")
    beside.symlink_to(target)
    beside.rename(link)


def renamed(record: Record) -> Record:
    return replace(record, name=f"{record.name}-2")
