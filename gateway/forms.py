"""The forms in which a device may send a chunk: JSON, plain int16, and the Avro message itself. Pure."""

import json
import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from bus.messages import PatientId
from bus.samples import INT64_MAX, MAX_LEADS, MAX_NAME, BadChunkError, Chunk, decode
from ecg.leads import knows_lead, lead_name
from ecg.records import MAX_FS_HZ, MAX_GAIN, MIN_FS_HZ, MIN_GAIN, MISSING, Int16Array
from ecg.units import millivolts_in
from gateway.refusals import RefusedError
from ops.validation import first_error

DEFAULT_GAIN = 1000.0  # ADC units per mV: 1 uV a step, up to 32.767 mV either way
FRAME = struct.Struct("<qq")  # before the samples of a binary WebSocket message: start_index, start_ns
JSON, INT16, AVRO = "application/json", "application/octet-stream", "avro/binary"

Lead = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]


def _listed(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


class StreamDescription(BaseModel):
    """The part that a stream's chunks have in common, as a device tells it.

    Attributes
    ----------
    fs_hz : sampling rate in Hz
    leads : names of the leads, in the order in which the samples of an instant stand; in an address, separated by
        commas. Any usual spelling: "MDC_ECG_LEAD_II" is II
    unit : of samples that are measured values: mV, uV, V. Where it is not given and ``gain`` is, the samples are ADC
        units
    gain : ADC units per mV, for all leads or for each
    baseline : ADC value of 0 mV, for all leads or for each
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    fs_hz: Annotated[float, Field(ge=MIN_FS_HZ, le=MAX_FS_HZ)]
    leads: Annotated[tuple[Lead, ...], Field(min_length=1, max_length=MAX_LEADS), BeforeValidator(_listed)] = ("II",)
    unit: Annotated[str, Field(max_length=20)] | None = None
    gain: Annotated[
        tuple[Annotated[float, Field(ge=MIN_GAIN, le=MAX_GAIN)], ...],
        BeforeValidator(lambda value: [value] if isinstance(value, int | float) else _listed(value)),
    ] = ()
    baseline: Annotated[
        tuple[Annotated[int, Field(ge=-(2**31), lt=2**31)], ...],
        BeforeValidator(lambda value: [value] if isinstance(value, int) else _listed(value)),
    ] = ()


class ChunkPlace(BaseModel):
    """Place of a chunk in its stream.

    Attributes
    ----------
    start_index : running index of its first sample in the device's stream, from 0 on
    start_ns : time of its first sample by the device's clock, ns UTC
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    start_index: Annotated[int, Field(ge=0, le=INT64_MAX // 2)]
    start_ns: Annotated[int, Field(ge=0, le=INT64_MAX // 2)]


class JsonChunk(ChunkPlace):
    """A chunk in JSON; what describes the stream may stand in the address instead.

    Attributes
    ----------
    samples : a list for each instant with a value for each lead, or one plain list where there is one lead; null where
        no sample was taken
    patient, fs_hz, leads, unit, gain, baseline : as in the address, and before it
    """

    samples: list[float | None] | list[list[float | None]]
    patient: PatientId | None = None
    fs_hz: float | None = None
    leads: list[Lead] | str | None = None
    unit: str | None = None
    gain: float | list[float] | None = None
    baseline: int | list[int] | None = None


def from_json(body: bytes | str, said: Mapping[str, str], *, device: str) -> Chunk:
    """Return the chunk in a JSON text.

    Parameters
    ----------
    body : ``JsonChunk``
    said : what the address says, by name: what the text says comes before it
    device : who sends

    Raises
    ------
    BadChunkError : when it is none
    """
    try:
        held = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadChunkError(f"the body is no JSON ({error}): send an object with start_index, start_ns, samples") from (
            None
        )
    if not isinstance(held, dict) or "samples" not in held:
        raise BadChunkError("the JSON is no object with start_index, start_ns and samples: send one chunk an object")
    samples = held.pop("samples")
    stated = {**said, **held}
    described = _described(stated)
    values = _values(samples, len(described.leads))
    if described.unit is None and described.gain:
        digits = _digits(values)
    else:
        digits = _quantised(values, described.unit or "mV")
        described = described.model_copy(update={"gain": (), "baseline": ()})
    place = _place(stated)
    return _chunk(str(stated.get("patient", "")), place.start_index, place.start_ns, described, digits, device=device)


def from_int16(body: bytes | memoryview, said: Mapping[str, Any], *, device: str) -> Chunk:
    """Return the chunk of plain samples, little-endian int16, the leads of an instant side by side.

    Parameters
    ----------
    body : the samples
    said : all else, by name

    Raises
    ------
    BadChunkError : when they do not fit what is said of them
    """
    described, place = description_of(said), _place(said)
    digits = _instants(body, len(described.leads))
    return _chunk(str(said.get("patient", "")), place.start_index, place.start_ns, described, digits, device=device)


def description_of(said: Mapping[str, Any]) -> StreamDescription:
    """Return the description of a stream of int16 samples, with its leads as the table of leads names them.

    Raises
    ------
    BadChunkError : when it is none
    """
    described = _described(said)
    if described.unit is not None:
        raise BadChunkError(
            f"unit={described.unit!r} with int16: say gain, the ADC units per mV, instead: they say what a step is"
        )
    return described


def from_frame(frame: bytes, patient: str, described: StreamDescription, *, device: str) -> Chunk:
    """Return the chunk in a binary WebSocket message: two little-endian int64, start_index and start_ns, then int16.

    Raises
    ------
    BadChunkError : when it is none
    """
    if len(frame) <= FRAME.size:
        raise BadChunkError(f"a message of {len(frame)} bytes holds no samples behind its {FRAME.size} bytes of place")
    start_index, start_ns = FRAME.unpack_from(frame)
    digits = _instants(memoryview(frame)[FRAME.size :], len(described.leads))
    return _chunk(patient, start_index, start_ns, described, digits, device=device)


def from_avro(body: bytes, *, device: str) -> Chunk:
    """Return the chunk in a samples message as it stands in the topic.

    Raises
    ------
    BadChunkError : when it is none
    RefusedError : when it names another device
    """
    chunk = decode(body)
    if chunk.device != device:
        raise RefusedError("device", f"device={chunk.device!r} is not {device!r}, whose token came: write that name")
    return chunk


def _described(said: Mapping[str, Any]) -> StreamDescription:
    try:
        return _description(tuple(sorted((name, _frozen(said[name])) for name in _FIELDS & said.keys())))
    except TypeError:  # what is no plain value is none of a description
        raise BadChunkError(
            "fs_hz, leads, unit, gain and baseline are values or lists of values: correct them"
        ) from None


_FIELDS = frozenset(StreamDescription.model_fields)


def _frozen(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


@lru_cache(maxsize=16_384)  # the same for every chunk of a stream
def _description(said: tuple[tuple[str, Any], ...]) -> StreamDescription:
    """Return the description of a stream with its leads as the table of leads names them."""
    try:
        described = StreamDescription.model_validate(dict(said))
    except ValidationError as error:
        raise BadChunkError(f"{first_error(error.errors())}: correct it") from None
    for name, values in (("gain", described.gain), ("baseline", described.baseline)):
        if len(values) not in {0, 1, len(described.leads)}:
            raise BadChunkError(
                f"{len(values)} values of {name} for {len(described.leads)} leads: give one, or as many"
            )
    known = tuple(lead_name(name) if knows_lead(name) else name for name in described.leads)
    return described.model_copy(update={"leads": known if len(set(known)) == len(known) else described.leads})


def _place(said: Mapping[str, Any]) -> ChunkPlace:
    try:
        return ChunkPlace.model_validate(said)
    except ValidationError as error:
        raise BadChunkError(f"{first_error(error.errors())}: correct it") from None


def _instants(body: bytes | memoryview, leads: int) -> Int16Array:
    if not body or len(body) % (2 * leads):
        raise BadChunkError(f"{len(body)} bytes are no whole instants of {leads} leads, {2 * leads} bytes each")
    return np.frombuffer(body, "<i2").reshape(-1, leads)


def _chunk(
    patient: str, start_index: int, start_ns: int, described: StreamDescription, digits: Int16Array, *, device: str
) -> Chunk:
    count = len(described.leads)
    return Chunk(
        patient=patient,
        device=device,
        start_ns=start_ns,
        start_index=start_index,
        fs_hz=described.fs_hz,
        leads=described.leads,
        gain=_each(described.gain or (DEFAULT_GAIN,), count),
        baseline=_each(described.baseline or (0,), count),
        samples=digits,
    )


def _each(values: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    return values * count if len(values) == 1 else values


def _values(samples: object, leads: int) -> "np.typing.NDArray[np.float64]":
    """The samples of a JSON text, (n, leads), NaN where none was taken."""
    try:
        values = np.array(samples, np.float64)
    except (TypeError, ValueError, OverflowError):
        raise BadChunkError("samples are no table of numbers: give each instant as many as there are leads") from None
    if values.ndim == 1 and leads == 1:
        values = values[:, None]
    if values.ndim != 2 or values.shape[1] != leads or not len(values):
        raise BadChunkError(f"samples of shape {values.shape} do not fit {leads} leads: give each instant one of each")
    if np.isinf(values).any():
        raise BadChunkError("a sample is infinite: write null where none was taken")
    return values


def _quantised(values: "np.typing.NDArray[np.float64]", unit: str) -> Int16Array:
    millivolts = millivolts_in(unit)
    if millivolts is None:
        raise BadChunkError(f"unit={unit!r} is no voltage: say mV, uV or V, or gain for ADC units")
    steps = np.round(values * (millivolts * DEFAULT_GAIN))
    return _fitting(
        steps, f"in {unit}", f"above {32.767 / millivolts:g} {unit}: correct unit, or send ADC units and gain"
    )


def _digits(values: "np.typing.NDArray[np.float64]") -> Int16Array:
    if (values != np.round(values)).any(where=~np.isnan(values)):
        raise BadChunkError("samples with gain are ADC units, whole numbers: leave gain out and say unit for mV or uV")
    return _fitting(values, "ADC units", "outside -32767 to 32767: scale them down, and gain with them")


def _fitting(steps: "np.typing.NDArray[np.float64]", what: str, beyond: str) -> Int16Array:
    missing = np.isnan(steps)
    largest = float(np.max(np.abs(steps), initial=0.0, where=~missing))
    if largest > 32_767:
        raise BadChunkError(f"a sample {what} is {beyond}")
    return np.where(missing, MISSING, steps).astype(np.int16)
