"""Windows that are due by the samples on the topic, with the CNN's scores: what any detector is held against."""

from collections import defaultdict
from math import exp

from bus import topics
from bus.clients import KafkaReader
from bus.samples import decode
from bus.settings import KafkaSettings
from detector.due import Due, DueWindow, StreamId
from detector.partition_state import PartitionState
from detector.results import results_of
from detector.score import Score
from detector.scorer import Scorer
from detector.weighing import LIMIT
from ecg.second_filter import FilteredSignal
from models import SHIPPED

BATCH = 192  # windows, and the rapid checks between them, in one call


async def windows_due(kafka: KafkaSettings, *, scored: bool) -> dict[str, float | None]:
    """Return the windows that are due, by id.

    Parameters
    ----------
    kafka : where the samples lie
    scored : whether each comes with the CNN's calibrated score, which takes some milliseconds a window; None otherwise,
        and where no lead can be judged
    """
    scorer = Scorer(SHIPPED)
    states, found = defaultdict[int, PartitionState](PartitionState), dict[str, float | None]()
    waiting: list[Due] = []
    signals: dict[StreamId, FilteredSignal] = {}
    async with KafkaReader(kafka, [topics.SAMPLES], start="beginning") as reader:
        async for message in reader.to_end():
            due = states[message.partition].accept(decode(message.value), message.offset, now_s=0.0).due
            found |= dict.fromkeys((each.id for each in due if isinstance(each, DueWindow)), None)
            waiting += due if scored else ()
            if len(waiting) >= BATCH:
                found |= _scores(scorer, waiting, signals)
                waiting = []
    return found | _scores(scorer, waiting, signals)


def _scores(scorer: Scorer, due: list[Due], signals: dict[StreamId, FilteredSignal]) -> dict[str, float | None]:
    """The CNN's scores of the windows that are due; ``signals`` is brought up to them."""
    calibration = scorer.manifest.calibration
    results = results_of(due, scorer, signals)
    signals |= results.signals
    odds = {
        each.id: None if result.logit is None else calibration.cnn_slope * result.logit + calibration.cnn_bias
        for each, result in zip(due, results.results, strict=True)
        if isinstance(result, Score)
    }
    return {
        name: None if each is None else 1 / (1 + exp(-min(max(each, -LIMIT), LIMIT))) for name, each in odds.items()
    }
