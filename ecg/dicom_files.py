"""ECGs in DICOM files: the waveform of a resting, general or ambulatory ECG object (DICOM PS3.3, C.10.9)."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ecg.channels import Channel, choose_channels
from ecg.errors import EcgStreamError
from ecg.records import RecordOnDisk
from ecg.resampling import on_disk
from ecg.wfdb_pieces import samples_reader
from ecg.wfdb_signals import Fit, fitted

MAX_SAMPLES = 200_000_000  # of all channels: a day of two leads at 1000 Hz
_QUOTED = 100


def read_dicom(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> RecordOnDisk:
    """The ECG in a DICOM file: its longest multiplex group; one of median beats beside it is left out, with a remark.

    Parameters
    ----------
    path : the file
    fs_hz, leads, unit : what the caller says, which comes before what the file says

    Raises
    ------
    EcgStreamError : when the file is damaged, holds a picture, or no channel is an ECG
    """
    group, others, values = _waveform(path)
    definitions = group.ChannelDefinitionSequence
    channels = tuple(_channel(each, group, place) for place, each in enumerate(definitions))
    scales = tuple(_scale(each) for each in definitions)
    padding = _padding(group)
    if values.ndim != 2 or values.shape[1] != len(channels) or not len(values):
        raise EcgStreamError(
            f"{path.name}: samples of shape {values.shape} of {len(channels)} channels: export it anew"
        )
    choice = choose_channels(channels, file=path.name, leads=leads, unit=unit, fs_hz=fs_hz)
    columns = choice.columns
    gains = choice.gains([1 / abs(scales[column][0]) for column in columns])
    fits = tuple(
        Fit(
            invalid=padding,
            gain=gain,
            baseline=round(-scales[column][1] / abs(scales[column][0])),
            inverted=scales[column][0] < 0,
        )
        for column, gain in zip(columns, gains, strict=True)
    )
    fits = fitted(fits, ((place, values[:, column]) for place, column in enumerate(columns)))
    samples = np.stack([fit.apply(values[:, column]) for fit, column in zip(fits, columns, strict=True)], axis=1)
    return on_disk(
        name=path.stem,
        fs_hz=choice.fs_hz,
        leads=choice.leads,
        gain=tuple(fit.gain for fit in fits),
        baseline=tuple(fit.baseline for fit in fits),
        held=len(samples),
        read=samples_reader(samples),
        remarks=(*others, *choice.remarks),
    )


def _waveform(path: Path) -> tuple[Any, tuple[str, ...], npt.NDArray[Any]]:
    """Return the longest group, what is to be said of the others, and its samples: (n, channels) integers."""
    import pydicom  # noqa: PLC0415 - paid only where a DICOM file is read
    from pydicom.waveforms.numpy_handler import multiplex_array  # noqa: PLC0415

    groups: list[Any] = []
    size, kind = 0, ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values that the standard forbids and that do not matter here
            held = pydicom.dcmread(path)
            kind, groups = str(held.get("Modality", "") or "object"), list(held.get("WaveformSequence", None) or ())
            number = max(range(len(groups)), key=lambda place: _seconds(groups[place]), default=0)
            size = max(
                (int(each.NumberOfWaveformSamples) * int(each.NumberOfWaveformChannels) for each in groups), default=0
            )
            if 0 < size <= MAX_SAMPLES:
                others = tuple(
                    f"group {str(other.get('MultiplexGroupLabel', place + 1))[:40]} ({_seconds(other):g} s) is left out"
                    for place, other in enumerate(groups)
                    if place != number
                )
                return groups[number], others, np.asarray(multiplex_array(held, number, as_raw=True))
    except OSError:
        raise
    except Exception as error:  # pydicom raises many kinds on hostile files
        raise EcgStreamError(
            f"{path.name} cannot be read as DICOM ({(str(error) or type(error).__name__)[:_QUOTED]}): export it anew, "
            "or as HL7 aECG or EDF"
        ) from error
    if size > MAX_SAMPLES:
        raise EcgStreamError(f"{path.name} claims {size} samples, above {MAX_SAMPLES}: give it in parts")
    raise EcgStreamError(
        f"{path.name} holds no waveform (its kind is {kind[:20]}): give the ECG waveform object of the same study"
    )


def _seconds(group: Any) -> float:
    rate = float(group.get("SamplingFrequency", 0) or 0)
    return int(group.get("NumberOfWaveformSamples", 0) or 0) / rate if rate > 0 else 0.0


def _channel(definition: Any, group: Any, place: int) -> Channel:
    source = _first(definition, "ChannelSourceSequence")
    names = (
        source.get("CodeMeaning", "") if source is not None else "",
        definition.get("ChannelLabel", ""),
        source.get("CodeValue", "") if source is not None else "",
    )
    units = _first(definition, "ChannelSensitivityUnitsSequence")
    return Channel(
        name=next((str(name).strip() for name in names if str(name or "").strip()), f"channel {place + 1}"),
        unit=str(units.get("CodeValue", "") if units is not None else "uV"),
        fs_hz=float(group.SamplingFrequency),
        dead="" if _scale(definition)[0] else "was off (its sensitivity is 0)",
    )


def _first(definition: Any, sequence: str) -> Any:
    return next(iter(definition.get(sequence, None) or ()), None)


def _scale(definition: Any) -> tuple[float, float]:
    """Units for each step of a channel, and its value of 0 steps, in units; one step a unit where nothing is said."""
    sensitivity = definition.get("ChannelSensitivity", None)
    correction = definition.get("ChannelSensitivityCorrectionFactor", None)
    step = (1.0 if sensitivity is None else float(sensitivity)) * (1.0 if correction is None else float(correction))
    return step, float(definition.get("ChannelBaseline", 0) or 0)


def _padding(group: Any) -> int | None:
    """The value of a sample that was never taken."""
    raw = group.get("WaveformPaddingValue", None)
    if raw is None:
        return None
    if isinstance(raw, int):
        return raw
    return int.from_bytes(bytes(raw), "little", signed=str(group.get("WaveformSampleInterpretation")).startswith("S"))
