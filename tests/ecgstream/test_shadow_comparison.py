"""Comparing the models in the shadow with those that count, on the real broker."""

from pathlib import Path

import pytest

from alerting.rules import load_rules
from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.messages import Decision, Verdict
from bus.samples import encode
from bus.settings import KafkaSettings
from detector.publishing import SHADOW_HEADER
from ecg.errors import EcgStreamError
from ecg.wfdb_files import toy_record
from ecgstream.shadow_comparison import compare_shadow, comparison_lines, comparison_result
from ecgstream.shadow_strips import draw_strips, write_strips
from producer.streams import Patient, cut
from tests.alerting.verdicts import START_NS, verdict

pytestmark = pytest.mark.broker
OWN, EARLIER = {"cnn": "own-2"}, {"cnn": "own-1"}


async def publish(settings: KafkaSettings, topic: str, verdicts: list[Verdict], models: dict[str, str] | None) -> None:
    async with KafkaPublisher(settings) as publisher:
        for each in verdicts:
            said = each if models is None else each.model_copy(update={"models": models})
            await publisher.send(
                Outgoing(
                    topic=topic,
                    key=each.patient.encode(),
                    value=said.to_bytes(),
                    headers=() if models is None else ((SHADOW_HEADER, b"400"),),
                )
            )
        await publisher.send(Outgoing(topic=topic, key=b"x", value=b"not a verdict"))


def windows(decisions: list[Decision], first: int = 0) -> list[Verdict]:
    return [verdict(first + number, decision) for number, decision in enumerate(decisions)]


async def test_comparison_counts_what_both_said_of_the_same_windows(settings: KafkaSettings) -> None:
    await publish(settings, topics.WINDOWS, [*windows(["normal"] * 9), *windows(["abnormal", "unusable"], 9)], None)
    await publish(settings, topics.SHADOW_WINDOWS, windows(["normal"] * 2), EARLIER)
    # It came later than the shipped models: the first two windows are not compared.
    shadow = [*windows(["normal", "abnormal", "abnormal", "abnormal"], 2), *windows(["normal"] * 3, 6)]
    await publish(settings, topics.SHADOW_WINDOWS, [*shadow, *windows(["normal", "unusable"], 9)], OWN)
    found = await compare_shadow(settings, load_rules())
    assert (found.windows, found.patients, found.other_models, found.alone) == (9, {"p1"}, 2, 0)
    assert found.agreement == pytest.approx(5 / 9)
    assert found.decided["normal", "abnormal"] == 3
    assert [each.id.rpartition("/")[2] for each in found.disagreements] == ["3", "4", "5", "9"]
    assert found.us_per_window == 400
    assert sum(found.alarms_shadow.values()) == 1  # three abnormal windows in a row
    assert sum(found.alarms_shipped.values()) == 0
    result = comparison_result(found)
    assert result["models"] == {"shipped": verdict(0, "normal").models, "shadow": OWN}
    lines = [line for line in comparison_lines(found, most=2) if isinstance(line, str)]
    assert "patients: 1; windows: 9, one decision on 55.6% of them" in lines
    assert "4 disagreements, the largest 2:" in lines


async def test_disagreement_is_drawn_with_what_both_said(settings: KafkaSettings, tmp_path: Path) -> None:
    record = toy_record()
    async with KafkaPublisher(settings) as publisher:
        for chunk in cut(Patient(id="p1", record=record, length=10_800), chunk_ms=1000, start_ns=START_NS):
            await publisher.send(Outgoing(topic=topics.SAMPLES, key=b"p1", value=encode(chunk)))
    await publish(settings, topics.WINDOWS, windows(["normal"] * 4), None)
    await publish(settings, topics.SHADOW_WINDOWS, windows(["normal", "normal", "abnormal", "normal"]), OWN)
    found = await compare_shadow(settings, load_rules())
    write_strips(await draw_strips(settings, found.disagreements), tmp_path / "strips")
    (path,) = (tmp_path / "strips").iterdir()
    assert path.name == "p1-2.svg"
    assert "shadow: abnormal 0.90" in path.read_text()
    gone = found.disagreements[0]._replace(start_ns=START_NS + 10**13, end_ns=START_NS + 10**13 + 5 * 10**9)
    assert await draw_strips(settings, [gone]) == {}
    with pytest.raises(EcgStreamError, match=r"--strips .* cannot be written \(.*\): name another folder"):
        write_strips({"a.svg": ""}, path)


async def test_nothing_to_compare_says_what_makes_something(settings: KafkaSettings) -> None:
    with pytest.raises(
        EcgStreamError, match=r"0 windows of ecg\.shadow-windows .*let 'ecgstream detect --shadow DIR' run"
    ):
        await compare_shadow(settings, load_rules())
