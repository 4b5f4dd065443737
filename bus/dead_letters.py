"""Messages that were refused: put aside with their reason."""

from base64 import b64encode
from dataclasses import dataclass

from bus.interfaces import Outgoing, Received
from bus.messages import PATIENT_ID, DeadLetter, RefusalCode
from bus.partitioning import partition_of
from ecg.errors import EcgStreamError

MAX_VALUE_BYTES = 65_536  # of the original that is kept; a whole one might not fit into a message again
MAX_REASON = 1_000  # characters; a reason may quote what was sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The reason why a message is not used.

    Attributes
    ----------
    code : which kind of fault it is, for programs
    reason : what is wrong and what to do, in words
    patient : whom it names in itself, where that could be read
    """

    code: RefusalCode
    reason: str
    patient: str | None = None


class BadMessageError(EcgStreamError):
    """A message that cannot be used.

    Attributes
    ----------
    refusal : why, as a dead letter has it
    """

    def __init__(self, reason: str, *, code: RefusalCode = "undecodable", patient: str | None = None) -> None:
        super().__init__(reason)
        self.refusal = Refusal(code=code, reason=reason, patient=patient)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter(Outgoing):
    """A dead letter, with the code of its refusal."""

    code: RefusalCode


def refuse_misplaced(received: Received, patient: str, partitions: int, error: type[BadMessageError]) -> None:
    """Refuse a message that lies in another partition than its patient's."""
    if (home := partition_of(patient.encode(), partitions)) != received.partition:
        raise error(
            f"the key {patient!r} belongs in partition {home} of {partitions} and came in {received.partition}: "
            "another partitioner keyed it; set partitioner=murmur2_random (librdkafka, whose own is "
            "consistent_random), with kcat -X partitioner=murmur2_random",
            code="wrong_partition",
            patient=patient,
        )


def dead_letter(
    received: Received,
    refusal: Refusal,
    *,
    topic: str,
    service: str,
    partitions: int | None = None,
    count: int = 1,
    first_offset: int | None = None,
) -> Letter:
    """The dead letter for a message, or for several that one letter stands for.

    Parameters
    ----------
    received : the message that was refused, the last of several
    refusal : why
    topic : the dead-letter topic
    service : who refused it
    partitions : how many partitions the topics have: a letter that names a patient goes where the patient's other
        messages are, wherever it was sent to. None leaves it beside what it is about
    count, first_offset : how many messages it stands for and where the first of them lies
    """
    value, key = received.value, received.key
    patient = refusal.patient or _patient_in(key)
    letter = DeadLetter(
        service=service,
        # A reason may quote bytes that are no text: none of it may keep the letter itself from being written.
        reason=refusal.reason[:MAX_REASON].encode(errors="backslashreplace").decode(),
        topic=received.topic,
        partition=received.partition,
        offset=received.offset,
        timestamp_ms=received.timestamp_ms,
        key_base64=None if key is None else b64encode(key[:MAX_VALUE_BYTES]).decode(),
        value_bytes=len(value or b""),
        value_base64=None if value is None else b64encode(value[:MAX_VALUE_BYTES]).decode(),
        code=refusal.code,
        patient=patient,
        count=count,
        first_offset=first_offset,
    )
    home = None if patient is None or partitions is None else partition_of(patient.encode(), partitions)
    return Letter(topic=topic, key=_text_key(key), value=letter.to_bytes(), partition=home, code=refusal.code)


def _patient_in(key: bytes | None) -> str | None:
    """The patient that a key names, None when it is not a patient id."""
    text = None if key is None else key.decode("ascii", errors="replace")
    return text if text is not None and PATIENT_ID.fullmatch(text) else None


def _text_key(key: bytes | None) -> bytes | None:
    if key is None or len(key) > MAX_VALUE_BYTES:
        return None
    try:
        key.decode()
    except UnicodeDecodeError:
        return None
    return key
