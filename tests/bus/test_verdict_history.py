"""Verdicts read back from a real broker by the time of the recording."""

import pytest

from bus import topics
from bus.clients import KafkaPublisher
from bus.interfaces import Outgoing
from bus.messages import Verdict
from bus.settings import KafkaSettings
from bus.stream_search import SearchLimitError
from bus.verdict_history import VerdictHistory
from tests.alerting.verdicts import HOP_NS, START_NS, verdict


@pytest.mark.broker
async def test_verdicts_are_found_by_their_time_in_whatever_stream_they_are(settings: KafkaSettings) -> None:
    later_ns = START_NS + 40 * HOP_NS
    first = [verdict(n, "normal", patient=patient) for n in range(30) for patient in ("p1", "p2")]
    restarted = [verdict(n, "abnormal", stream_start_ns=later_ns) for n in range(30)]
    async with KafkaPublisher(settings) as publisher:
        for each in (*first, *restarted):
            topic = topics.WINDOWS
            await publisher.send(Outgoing(topic=topic, key=each.patient.encode(), value=each.to_bytes()))
        await publisher.send(Outgoing(topic=topic, key=b"p1", value=b"no verdict"))

    def spans(found: list[Verdict]) -> list[int]:
        assert {one.patient for one in found} <= {"p1"}
        return [(one.start_ns - START_NS) // HOP_NS for one in found]

    async with VerdictHistory(settings) as history:
        within = await history.read("p1", START_NS + 10 * HOP_NS, START_NS + 12 * HOP_NS)
        assert spans(within) == [10, 11]
        assert within[0] == verdict(10, "normal")
        over_the_restart = await history.read("p1", START_NS + 28 * HOP_NS + 1, START_NS + 42 * HOP_NS)
        assert spans(over_the_restart) == [28, 29, 40, 41]
        assert await history.read("p1", START_NS - 2 * HOP_NS, START_NS) == []
        assert await history.read("nobody", START_NS, START_NS + HOP_NS) == []
        with pytest.raises(SearchLimitError, match="3600 s: ask for it in parts"):
            await history.read("p1", START_NS, START_NS + 3601 * 10**9)
