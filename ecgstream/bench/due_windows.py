"""Windows that are due by the samples on the topic, with the CNN's scores: what any detector is held against."""

from collections import defaultdict
from math import exp

from bus import topics
from bus.clients import KafkaReader
from bus.samples import decode
from bus.settings import KafkaSettings
from detector.due import DueWindow
from detector.judgement import LIMIT
from detector.partition_state import PartitionState
from detector.scorer import Scorer
from models import SHIPPED

BATCH = 32  # windows scored in one call


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
    waiting: list[DueWindow] = []
    async with KafkaReader(kafka, [topics.SAMPLES], start="beginning") as reader:
        async for message in reader.to_end():
            accepted = states[message.partition].accept(decode(message.value), message.offset, now_s=0.0)
            due = [each for each in accepted.due if isinstance(each, DueWindow)]
            found |= dict.fromkeys((window.id for window in due), None)
            waiting += due if scored else ()
            if len(waiting) >= BATCH:
                found |= _scores(scorer, waiting)
                waiting = []
    return found | _scores(scorer, waiting)


def _scores(scorer: Scorer, windows: list[DueWindow]) -> dict[str, float | None]:
    calibration = scorer.manifest.calibration
    odds = (
        None if score.logit is None else calibration.cnn_slope * score.logit + calibration.cnn_bias
        for score in (scorer.score(windows) if windows else ())
    )
    return {
        window.id: None if each is None else 1 / (1 + exp(-min(max(each, -LIMIT), LIMIT)))
        for window, each in zip(windows, odds, strict=True)
    }
