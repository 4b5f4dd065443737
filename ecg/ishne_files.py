"""Holter recordings in the format of ISHNE: a fixed header and interleaved integers.

Source: Badilini, "The ISHNE Holter Standard Output File Format", Annals of Noninvasive Electrocardiology 1998,
doi 10.1111/j.1542-474X.1998.tb00353.x.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecg.channels import Channel, choose_channels
from ecg.errors import EcgStreamError
from ecg.records import MISSING, Int16Array, RecordOnDisk
from ecg.resampling import on_disk

ISHNE_MAGIC = b"ISHNE"  # "ISHNE1.0"
_HEADER_BYTES = 522
_MAX_LEADS = 12
# By the number that a header has for them.
_LEADS: tuple[str, ...] = ("", "bipolar", "X", "Y", "Z", "I", "II", "III", "aVR", "aVL", "aVF")
_LEADS += ("V1", "V2", "V3", "V4", "V5", "V6", "ES", "AS", "AI")
_SAMPLE_BYTES = 2
_NANOVOLTS = "nV"  # a step of the converter is so many


def open_ishne(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> RecordOnDisk:
    """The ECG in an ISHNE file.

    Parameters
    ----------
    path : the file
    fs_hz, leads, unit : what the caller says, which comes before what the file says

    Raises
    ------
    EcgStreamError : when the file is damaged, or no lead can be read
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if len(head) < _HEADER_BYTES:
        raise EcgStreamError(
            f"{path.name} has {len(head)} bytes, an ISHNE header has {_HEADER_BYTES}: restore the file"
        )
    claimed, _, offset = struct.unpack_from("<iii", head, 14)
    (count,) = struct.unpack_from("<h", head, 156)
    (rate,) = struct.unpack_from("<h", head, 272)
    if not 1 <= count <= _MAX_LEADS or offset < _HEADER_BYTES:
        raise EcgStreamError(
            f"{path.name} claims {count} leads from byte {offset} on: an ISHNE file has 1 to {_MAX_LEADS}, from byte "
            f"{_HEADER_BYTES} on or later: restore the file"
        )
    codes = struct.unpack_from(f"<{count}h", head, 158)
    resolutions = struct.unpack_from(f"<{count}h", head, 206)
    channels = tuple(
        Channel(
            name=_LEADS[code] if 0 < code < len(_LEADS) else f"lead {number + 1}",
            unit=_NANOVOLTS,
            fs_hz=float(rate) if rate > 0 else fs_hz or 0.0,
            dead="" if resolution > 0 else f"was off (its resolution is {resolution} nV)",
        )
        for number, (code, resolution) in enumerate(zip(codes, resolutions, strict=True))
    )
    choice = choose_channels(channels, file=path.name, leads=leads, unit=unit, fs_hz=fs_hz)
    held, rest = divmod(max(path.stat().st_size - offset, 0), _SAMPLE_BYTES * count)
    remarks = choice.remarks
    # Some recorders count the samples of each lead, some those of all.
    if (claimed not in {held, held * count}) or rest:
        remarks = (f"{path.name} claims {claimed} samples, it holds {held} of each lead: these are read", *remarks)
    if held == 0:
        raise EcgStreamError(f"{path.name} holds no sample behind its header: give the file that does")
    return on_disk(
        name=path.stem,
        fs_hz=choice.fs_hz,
        leads=choice.leads,
        gain=choice.gains([1 / resolutions[column] for column in choice.columns]),
        baseline=(0,) * len(choice.columns),
        held=held,
        read=_Samples(path=path, offset=offset, count=count, columns=choice.columns).read,
        remarks=remarks,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Samples:
    """Samples of some of the leads that take turns in a file, from a byte on."""

    path: Path
    offset: int
    count: int
    columns: tuple[int, ...]

    def read(self, start: int, stop: int) -> Int16Array:
        """(stop - start, columns) int16: samples from one to before another."""
        wanted = (stop - start) * self.count
        held = np.fromfile(self.path, "<i2", wanted, offset=self.offset + start * self.count * _SAMPLE_BYTES)
        if len(held) != wanted:
            raise EcgStreamError(f"{self.path.name} became shorter while it was read: restore it, and read it again")
        samples = held.reshape(-1, self.count)[:, list(self.columns)].astype(np.int16)
        return np.maximum(samples, MISSING + 1, out=samples)  # the lowest value is a sample, not a mark
