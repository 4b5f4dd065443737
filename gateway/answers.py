"""Answers of the gateway: models of its OpenAPI and AsyncAPI documents."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from bus.messages import PatientId
from gateway.refusals import RefusalReason


class Answer(BaseModel):
    """Base of all answers: immutable, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Acknowledgement(Answer):
    """Kafka has a chunk: it may be forgotten.

    Attributes
    ----------
    start_index : of the chunk
    next_index : the index after the last sample of the stream that is stored
    stored, repeated : samples of the chunk that were stored now, and before
    lost : samples that are missing before it: they may still be sent
    """

    type: Literal["ack"] = "ack"
    patient: PatientId
    start_index: int
    next_index: int
    stored: int
    repeated: int = 0
    lost: int = 0


class Refusal(Answer):
    """A chunk is not stored, and would not be if it came again as it is.

    Attributes
    ----------
    patient, start_index : of the chunk, where they could be read
    code : why, for programs
    detail : the value, the limit and the remedy
    """

    type: Literal["refused"] = "refused"
    patient: str | None = None
    start_index: int | None = None
    code: RefusalReason
    detail: str


class Hello(Answer):
    """The first message on a WebSocket.

    Attributes
    ----------
    device : whose token came
    patients : for whom it may send
    now_ns : the gateway's time, ns UTC: a device without a clock may take it as its own
    """

    type: Literal["hello"] = "hello"
    device: str
    patients: list[str]
    now_ns: int


class Clock(Answer):
    """A device's clock, as its packets show it.

    Attributes
    ----------
    behind_ms : how far it is behind the gateway's, with the shortest way of its packets, ms
    drift_ppm : how much slower than the gateway's it runs, parts in a million; null before a minute
    rate_ppm : how much more samples it takes than its sampling rate says, by its own clock; null before a minute
    delay_ms : of the last packet beyond the shortest of the last seconds, ms
    jumps : how often it jumped against its samples
    """

    behind_ms: float
    drift_ppm: float | None
    rate_ppm: float | None
    delay_ms: float
    jumps: int


class Stream(Answer):
    """State of a patient's stream from a device, as the topic has it.

    Attributes
    ----------
    next_index : where to go on; null where nothing of the last hour is found (ECGSTREAM_GATEWAY_PAST_S)
    clock : of the device; null where nothing came to this gateway lately
    """

    patient: PatientId
    device: str
    next_index: int | None
    clock: Clock | None
    now_ns: int
