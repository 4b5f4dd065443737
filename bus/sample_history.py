"""Reading back what a patient's device sent, by the time of the recording.

The samples topic is the store: nothing is kept beside it. It knows when each message was sent, which is not when the
heart beat, since recordings are replayed at any speed; so the place of a time is searched for (``bus.stream_search``).
"""

from bus import topics
from bus.log_reading import MAX_BYTES, LogReaders
from bus.samples import BadChunkError, Chunk, check_patient, decode
from bus.settings import KafkaSettings
from bus.stored_samples import StoredSamples, put_together
from bus.stream_search import NoSamplesError, SamplesGoneError, SearchLimitError, check_span, find

__all__ = ["NoSamplesError", "SampleHistory", "SamplesGoneError", "SearchLimitError", "StoredSamples"]

MAX_SPAN_S = 600.0  # of one call: ten minutes of two leads at 360 Hz are 0.9 MB


class SampleHistory(LogReaders[Chunk]):
    """Reads patients' samples back from ``ecg.samples``, committed messages only, outside any consumer group.

    To be used in ``async with``; several tasks may call ``read`` at the same time.

    Parameters
    ----------
    settings : how to reach Kafka
    max_bytes : the most that one call reads
    """

    def __init__(self, settings: KafkaSettings, *, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(settings, topics.SAMPLES, parse=_chunk_of, max_bytes=max_bytes)

    async def read(self, patient: str, from_ns: int, to_ns: int) -> StoredSamples:
        """The samples of a stretch of time, by the newest of the patient's streams that has any of it.

        Parameters
        ----------
        patient : the patient id
        from_ns, to_ns : the stretch by the device's clock, ns UTC, its end excluded

        Raises
        ------
        NoSamplesError : when there is none; ``SamplesGoneError`` when the topic's retention may have taken it
        SearchLimitError : when the stretch is too long, or finding it would read too much
        BadChunkError : when the patient id is none
        BrokerError : when Kafka does not answer, or has no such topic
        """
        check_patient(patient)
        check_span(from_ns, to_ns, longest_s=MAX_SPAN_S)
        async with self.log(patient) as log:
            return put_together(await find(log, from_ns, to_ns), from_ns, to_ns)


def _chunk_of(key: bytes, value: bytes | None) -> Chunk | None:
    try:
        return decode(value, key=key)
    except BadChunkError:  # the detector has put it aside
        return None
