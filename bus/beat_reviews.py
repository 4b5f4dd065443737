"""People's decisions on beats: sent, and read back as they stand."""

from bisect import bisect_left
from collections.abc import Iterable
from operator import attrgetter

from pydantic import ValidationError

from bus import topics
from bus.clients import KafkaReader
from bus.interfaces import Outgoing, Publisher, Received
from bus.messages import BeatReview
from bus.settings import KafkaSettings

# A browser's numbers do not hold nanoseconds since 1970: it names a beat to the millisecond.
SAME_BEAT_NS = 1_000_000


async def publish_review(publisher: Publisher, review: BeatReview) -> None:
    """Send a decision; it is stored when this returns.

    Raises
    ------
    BrokerError : when Kafka does not take it
    """
    message = Outgoing(topic=topics.BEAT_REVIEWS, key=review.patient.encode(), value=review.to_bytes())
    await (await publisher.send(message))


def standing(messages: Iterable[Received], patient: str, from_ns: int, to_ns: int) -> list[BeatReview]:
    """The last decision on each beat of a patient, by the beats' time; of what was withdrawn, none.

    Parameters
    ----------
    messages : of all partitions, in any order: a topic that grew has a patient's in two
    patient : the patient id
    from_ns, to_ns : the stretch in which the beats lie, ns UTC, its end excluded
    """
    found: dict[int, BeatReview] = {}
    times: list[int] = []
    for message in sorted(messages, key=attrgetter("timestamp_ms")):
        if message.key != patient.encode():
            continue
        try:
            review = BeatReview.model_validate_json(message.value or b"")
        except ValidationError:  # of another release
            continue
        if review.patient == patient and from_ns <= review.t_ns < to_ns:
            found[_same_beat(times, review.t_ns)] = review
    return [found[t_ns] for t_ns in times if found[t_ns].decision != "withdraw"]


def _same_beat(times: list[int], t_ns: int) -> int:
    """The time under which a beat is known already, or its own, which is put among them."""
    at = bisect_left(times, t_ns)
    for near in times[max(0, at - 1) : at + 1]:
        if abs(near - t_ns) < SAME_BEAT_NS:
            return near
    times.insert(at, t_ns)
    return t_ns


async def read_reviews(kafka: KafkaSettings, patient: str, from_ns: int, to_ns: int) -> list[BeatReview]:
    """The decisions on a patient's beats as they stand: see ``standing``.

    Raises
    ------
    BrokerError : when Kafka does not answer, or has no such topic
    """
    async with KafkaReader(kafka, [topics.BEAT_REVIEWS], start="beginning") as reader:
        return standing([message async for message in reader.to_end()], patient, from_ns, to_ns)
