"""Reading back the verdicts on a patient, by the time of the recording: ``ecg.windows`` is their store."""

from operator import attrgetter

from pydantic import BaseModel, ConfigDict, ValidationError

from bus import topics
from bus.log_reading import LogReaders
from bus.messages import Verdict
from bus.samples import check_patient
from bus.settings import KafkaSettings
from bus.stream_search import NoSamplesError, Pieces, check_span, search

MAX_SPAN_S = 3600.0  # of one call: 720 verdicts


class _Stored(BaseModel):
    """A verdict as far as it is looked for; its whole is read once it is found."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    stream_start_ns: int
    start_ns: int
    end_ns: int
    value: bytes = b""


class VerdictHistory(LogReaders[_Stored]):
    """Reads verdicts back from ``ecg.windows``, committed messages only, outside any consumer group.

    To be used in ``async with``; several tasks may call ``read`` at the same time.
    """

    def __init__(self, settings: KafkaSettings) -> None:
        super().__init__(settings, topics.WINDOWS, parse=_stored)

    async def read(self, patient: str, from_ns: int, to_ns: int) -> list[Verdict]:
        """The verdicts on the windows that have something of a stretch, in the order of their time.

        Of two windows that begin at one time, the one that was judged later counts.

        Parameters
        ----------
        patient : the patient id
        from_ns, to_ns : the stretch by the device's clock, ns UTC, its end excluded

        Raises
        ------
        SearchLimitError : when the stretch is too long, or finding it would read too much
        BadChunkError : when the patient id is none
        BrokerError : when Kafka does not answer, or has no such topic
        """
        check_patient(patient)
        check_span(from_ns, to_ns, longest_s=MAX_SPAN_S)
        async with self.log(patient) as log:
            try:
                found = await search(log, from_ns, to_ns, _VERDICTS)
            except NoSamplesError:
                return []
        in_order = sorted({one.start_ns: one for one in found}.values(), key=lambda one: one.start_ns)
        return [Verdict.model_validate_json(one.value) for one in in_order]


def _same_stream(one: _Stored, other: _Stored) -> bool:
    return one.stream_start_ns == other.stream_start_ns


_VERDICTS = Pieces(same_stream=_same_stream, end_ns=attrgetter("end_ns"))


def _stored(_: bytes, value: bytes | None) -> _Stored | None:
    try:
        return _Stored.model_validate_json(value or b"").model_copy(update={"value": value})
    except ValidationError:  # of another release
        return None
