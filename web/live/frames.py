"""The binary frame of live samples: ``WS /live`` and ``GET /patients/{patient}/samples``.

A message (or an answer) is one frame or several, one behind the other; each begins at a multiple of eight bytes, so
that typed arrays can be laid over it. Little endian:

======  =======  ==========================================================================================
offset  type     holds
======  =======  ==========================================================================================
0       u8       version: 1
1       u8       flags: bit 0 (1): samples before this frame are missing; bit 1 (2): the stream began anew or its clock
                 was set, so that neither time nor index go on from the frame before
2       u8       P: bytes of the patient's id
3       u8       L: leads
4       u32      bytes of this whole frame; the next one begins there
8       f64      fs_hz: sampling rate of this frame, Hz (lower than the device's where the trace is thinned out)
16      f64      start_ms: time of the first sample by the device's clock, ms UTC
24      f64      start_index: running index of the first sample at fs_hz; frames that follow each other without a hole
                 have this frame's start_index + N next
32      f64      sent_ms: wall time at which the samples were handed to Kafka, ms UTC; 0 for samples of the past, which
                 come when somebody begins to watch, and where it is not known
40      u32      N: samples of each lead
44      u32      S: offset of the samples from the frame's start; even
48      P bytes  the patient's id, UTF-8
48+P             for each lead: f32 gain (units per mV), i32 baseline (value of 0 mV), u8 bytes of the name, the name in
                 UTF-8; not aligned
S       i16      N * L samples, sample by sample (all leads of the first, all of the second, ...); -32768 where none was
                 taken
        zeros    up to a multiple of eight bytes
======  =======  ==========================================================================================

millivolts = (value - baseline) / gain.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ecg.errors import EcgStreamError
from ecg.records import Int16Array

VERSION = 1
HOLE = 1  # flag: samples before this frame are missing
ANEW = 2  # flag: neither time nor index go on from the frame before
HEAD = struct.Struct("<BBBBIddddII")
_LEAD = struct.Struct("<fiB")


class FrameError(EcgStreamError):
    """Bytes that are no frame."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Frame:
    """A stretch of a patient's samples on their way to a browser.

    Attributes
    ----------
    flags : ``HOLE``, ``ANEW``, both or none
    start_ms : time of the first sample by the device's clock, ms UTC
    start_index : running index of the first sample at ``fs_hz``
    sent_ms : wall time at which the samples were handed to Kafka, ms UTC; 0 where it is not known
    leads : names, in the order of the columns of ``samples``
    gain : per lead, ADC units per mV
    baseline : per lead, the ADC value of 0 mV
    samples : (n, leads) int16, ADC units; ``MISSING`` where no sample was taken
    """

    patient: str
    flags: int = 0
    fs_hz: float
    start_ms: float
    start_index: float
    sent_ms: float = 0.0
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    samples: Int16Array


def encode(frame: Frame) -> bytes:
    """A frame as bytes."""
    patient = frame.patient.encode()
    leads = b"".join(
        _LEAD.pack(gain, baseline, len(name)) + name
        for name, gain, baseline in zip(map(_name, frame.leads), frame.gain, frame.baseline, strict=True)
    )
    at = HEAD.size + len(patient) + len(leads)
    at += at % 2
    values = frame.samples.astype("<i2", copy=False).tobytes()
    size = -(-(at + len(values)) // 8) * 8
    head = HEAD.pack(
        VERSION,
        frame.flags,
        len(patient),
        len(frame.leads),
        size,
        frame.fs_hz,
        frame.start_ms,
        frame.start_index,
        frame.sent_ms,
        len(frame.samples),
        at,
    )
    return b"".join((head, patient, leads)).ljust(at, b"\0") + values.ljust(size - at, b"\0")


def _name(lead: str) -> bytes:
    """A lead's name in at most the 255 bytes that its length has room for, no character cut in two."""
    return lead.encode()[:255].decode(errors="ignore").encode()


def decode(message: bytes) -> Iterator[Frame]:
    """The frames of a message, one after the other.

    Raises
    ------
    FrameError : when the bytes are not a frames
    """
    while message:
        frame, size = _first(message)
        yield frame
        message = message[size:]


def _first(message: bytes) -> tuple[Frame, int]:
    try:
        version, flags, patient_bytes, lead_count, size, fs_hz, start_ms, start_index, sent_ms, count, at = (
            HEAD.unpack_from(message)
        )
        if version != VERSION:
            raise FrameError(f"version {version} of the frame is not {VERSION}: reload the page")
        place = HEAD.size
        patient = message[place : place + patient_bytes].decode()
        place += patient_bytes
        leads, gains, baselines = [], [], []
        for _ in range(lead_count):
            gain, baseline, name_bytes = _LEAD.unpack_from(message, place)
            place += _LEAD.size
            leads.append(message[place : place + name_bytes].decode())
            gains.append(gain)
            baselines.append(baseline)
            place += name_bytes
        samples = np.frombuffer(message, "<i2", count * lead_count, at).reshape(count, lead_count)
    except (struct.error, ValueError) as error:
        raise FrameError(f"{len(message)} bytes are not a frame: {error}") from error
    if size < at + samples.nbytes or size % 8 or size > len(message):
        raise FrameError(f"a frame of {size} bytes in {len(message)}: it is cut off")
    frame = Frame(
        patient=patient,
        flags=flags,
        fs_hz=fs_hz,
        start_ms=start_ms,
        start_index=start_index,
        sent_ms=sent_ms,
        leads=tuple(leads),
        gain=tuple(gains),
        baseline=tuple(baselines),
        samples=samples.astype(np.int16),
    )
    return frame, size
