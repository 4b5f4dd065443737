"""Judging records offline and through a real Kafka."""

from collections import Counter
from dataclasses import replace

import pytest

from alerting.rules import load_rules
from bus.messages import Beat, BeatClass, Urgent, Verdict
from detector.offline import judge_record
from detector.scorer import scorer_of
from detector.settings import DetectorSettings
from ecg.wfdb_files import toy_record
from ecgstream.evaluation import alerts_of, compare, compare_urgent, judge_on_kafka, windows_in
from ecgstream.local_system import LocalSystem
from tests.alerting.verdicts import urgent, verdict
from tests.detector.streams import stopped
from tests.support.verdicts import verdicts_of

CHUNKS_MS = (100, 250, 777)


def test_equal_verdicts_do_not_differ() -> None:
    verdicts = {"r": [verdict(0, "normal"), verdict(1, "unusable")]}
    found = compare(verdicts, verdicts)
    assert (found.windows, found.missing, found.different, found.largest_difference) == (2, 0, 0, 0.0)
    assert compare_urgent({"r": [urgent(8)]}, {"r": [urgent(8)]}) == (1, 0)


def test_every_difference_is_seen() -> None:
    one = {"r": [verdict(0, "normal", fused=0.25), verdict(1, "normal"), verdict(2, "normal")]}
    other = {"r": [verdict(0, "normal", fused=0.375), verdict(1, "unusable")]}
    found = compare(one, other)
    assert (found.windows, found.missing, found.different, found.largest_difference) == (2, 1, 1, 0.125)
    others = [urgent(9), urgent(9), urgent(8, "ventricular_flutter")]
    assert compare_urgent({"r": [urgent(8), urgent(9)]}, {"r": others}) == (1, 3)


def test_beats_are_held_by_their_time_in_the_stream() -> None:
    def judged(start_ns: int, letter: BeatClass) -> dict[str, list[Verdict]]:
        beat = Beat(t_ns=start_ns + 10, beat_class=letter)
        return {"r": [verdict(0, "normal", stream_start_ns=start_ns).model_copy(update={"beats": (beat,)})]}

    assert compare(judged(0, "N"), judged(1000, "N")).different == 0
    assert compare(judged(0, "N"), judged(1000, "V")).different == 1


@pytest.mark.broker
async def test_the_verdicts_through_kafka_are_the_offline_ones_for_any_chunk_length() -> None:
    record = toy_record()
    scorer = scorer_of(DetectorSettings(_env_file=None))
    offline = verdicts_of(record, scorer)
    counted: Counter[str] = Counter()
    system = LocalSystem(("detect",), ("alert",))
    try:
        await system.start()
        for chunk_ms in CHUNKS_MS:
            patient = replace(record, name=f"toy-{chunk_ms}")
            judged = await judge_on_kafka(
                [patient],
                system.kafka,
                chunk_ms=chunk_ms,
                check=system.check,
                done=lambda count: counted.update({"windows": count}),
            )
            found = compare({patient.name: offline}, judged.verdicts)
            assert (found.windows, found.missing, found.different) == (windows_in(record), 0, 0)
            assert found.largest_difference <= 1e-6
            assert compare_urgent({}, judged.urgent) == (0, 0)
            shown = judged.alerts[patient.name]
            assert shown == alerts_of(judged.verdicts[patient.name], load_rules()) != [], "the service is its core"
        # A heart that stops: the looks tell the same on either path, and it is one alarm, whichever topic leads.
        heart = replace(stopped(8.3, 24), name="heart")
        judged = await judge_on_kafka([heart], system.kafka, chunk_ms=250, check=system.check, done=lambda _: None)
        seen = [each for each in judge_record(heart, scorer) if isinstance(each, Urgent)]
        assert compare_urgent({"heart": seen}, judged.urgent) == (12, 0)
        started = [alert.condition for alert in judged.alerts["heart"] if alert.phase == "start"]
        assert started.count("asystole") == 1
    finally:
        await system.end()
    assert counted["windows"] == len(CHUNKS_MS) * windows_in(record)
