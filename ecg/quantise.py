"""Physical values as int16 samples, for sources that hold no integers of a known recorder."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.records import Record, from_millivolts
from ecg.resampling import on_disk
from ecg.units import millivolts_in

ADC_UNIT = "adc"
ADC_GAIN = 200.0  # ADC units per mV where nobody says: WFDB's default, and the MIT-BIH databases' gain
MAX_SPAN_MV = 50.0  # the widest ECG is a tenth of it; wider values are not in mV
MAX_OFFSET_MV = 1e6  # a kilovolt: what no amplifier survives is another quantity
_FINEST_GAIN = 1000.0  # 1 uV a step: below the noise of every recorder
_COARSEST_GAIN = 32.0  # int16 then spans 2 V; what lies beyond is no ECG and is clipped
_INT16_ROOM = 32000
_BLOCK = 1_000_000  # samples that are converted at once: on the way they take ten times their size


def record_of(
    values: npt.NDArray[np.generic],
    *,
    name: str,
    fs_hz: float,
    leads: Sequence[str],
    units: Sequence[str | None],
    missing: int | None = None,
    remarks: tuple[str, ...] = (),
) -> Record:
    """A record from physical values; beside them it takes what two leads take as floating-point numbers.

    Parameters
    ----------
    values : (n, leads) numbers; NaN or infinite where no sample was taken
    missing : another value of a sample that was not taken
    name : the record's name
    fs_hz : sampling rate in Hz
    leads : lead names
    units : per lead "mV", "uV", "V", "adc" (ADC units, 200 to the mV), or None where nobody says: then mV,
        if the values can be that
    remarks : see ``ecg.records.Recording``

    Raises
    ------
    EcgStreamError : when a unit is not known, or nobody gives one and the values cannot be millivolts
    """
    samples = np.empty(values.shape, np.int16)
    gains, baselines = [], []
    for column, (lead, unit) in enumerate(zip(leads, units, strict=True)):
        one = np.array(values[:, column], np.float64)
        if missing is not None:
            one[one == missing] = np.nan
        finite = one[np.isfinite(one)]
        middle = float(np.median(finite, overwrite_input=True)) if finite.size else 0.0
        farthest = max(float(finite.max()) - middle, middle - float(finite.min())) if finite.size else 0.0
        if (unit or "").lower() == ADC_UNIT:
            # The ADC value of 0 mV is not known: the median is nearest to it in an ECG.
            one -= round(middle)
            scale, gain, zero = 1 / ADC_GAIN, ADC_GAIN, 0
            if farthest > _INT16_ROOM:
                raise EcgStreamError(
                    f"lead {lead}: ADC units up to {farthest:g} from their median, at most "
                    f"{_INT16_ROOM} fit {ADC_GAIN:g} to the mV: convert them to mV"
                )
        else:
            scale = _millivolts_per_unit(unit, finite, lead)
            if abs(middle) * scale > MAX_OFFSET_MV:
                limit = MAX_OFFSET_MV / scale
                raise EcgStreamError(
                    f"lead {lead}: the values lie around {middle:g}, above {limit:g}: no electrode gives "
                    "that: give their unit (mV, uV, V or adc), or leave the column out (leads)"
                )
            widest = farthest * scale
            gain = float(np.clip(_INT16_ROOM / widest, _COARSEST_GAIN, _FINEST_GAIN)) if widest else _FINEST_GAIN
            zero = round(middle * scale * gain)
        for start in range(0, len(one), _BLOCK):
            block = slice(start, start + _BLOCK)
            samples[block, column] = from_millivolts(one[block] * scale - zero / gain, gain)
        gains.append(gain)
        baselines.append(-zero)
    return on_disk(
        name=name,
        fs_hz=fs_hz,
        leads=tuple(leads),
        gain=tuple(gains),
        baseline=tuple(baselines),
        held=len(samples),
        read=lambda start, stop: samples[start:stop],
        remarks=remarks,
    ).in_memory()


def _millivolts_per_unit(unit: str | None, finite: npt.NDArray[np.float64], lead: str) -> float:
    if unit is not None:
        known = millivolts_in(unit)
        if known is None:
            raise EcgStreamError(f"lead {lead}: unit={unit!r} is not known: give mV, uV, V or adc")
        return known
    span = float(np.subtract(*np.percentile(finite, (99, 1), overwrite_input=True))) if finite.size else 0.0
    if span > MAX_SPAN_MV:
        raise EcgStreamError(
            f"lead {lead}: the values span {span:g}, above {MAX_SPAN_MV:g} mV, so they are not in mV: "
            "give their unit (mV, uV, V or adc)"
        )
    return 1.0
