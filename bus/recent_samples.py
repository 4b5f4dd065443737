"""The newest samples that are stored of a patient, read back from the end of the topic."""

from collections.abc import Callable, Sequence

from bus import topics
from bus.log_reading import LogReaders
from bus.samples import BadChunkError, Chunk, decode
from bus.settings import KafkaSettings

STEP = 256  # messages: the first look back; each further one reaches four times as far
MAX_BYTES = 256 * 1024 * 1024  # that one call reads


class RecentSamples(LogReaders[Chunk]):
    """Reads the end of patients' streams in ``ecg.samples``, outside any consumer group.

    To be used in ``async with``; several tasks may call ``back_to`` at the same time.

    Parameters
    ----------
    settings : how to reach Kafka
    """

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings, topics.SAMPLES, parse=_chunk_of, max_bytes=MAX_BYTES)

    async def back_to(
        self, patient: str, *, since_ms: int, enough: Callable[[Sequence[Chunk]], bool]
    ) -> Sequence[Chunk]:
        """A patient's newest chunks, in the order of the topic: all that every writer was acknowledged by now.

        Parameters
        ----------
        patient : the patient id
        since_ms : what the broker took in before this time is not looked at, ms UTC
        enough : whether what was found so far, the newest, is enough

        Raises
        ------
        SearchLimitError : when that reads more than ``MAX_BYTES``
        BrokerError : when Kafka does not answer, or has no such topic
        """
        found: list[Chunk] = []
        async with self.log(patient) as log:
            first = await log.offset_at(since_ms)
            stop, step = log.end, STEP
            while stop > first and not (found and enough(found)):
                start = max(first, stop - step)
                found[:0] = [each.piece async for each in log.scan(start, stop)]
                stop, step = start, 4 * step
        return found


def _chunk_of(key: bytes, value: bytes | None) -> Chunk | None:
    try:
        return decode(value, key=key)
    except BadChunkError:  # the detector has put it aside
        return None
