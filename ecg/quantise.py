"""Physical values as int16 samples, for sources that hold no integers of a known recorder."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.records import Record, from_millivolts

UNITS_MV = {"mv": 1.0, "uv": 1e-3, "µv": 1e-3, "μv": 1e-3, "nv": 1e-6, "v": 1e3}
ADC_UNIT = "adc"
ADC_GAIN = 200.0  # ADC units per mV where nobody says: WFDB's default, and the MIT-BIH databases' gain
MAX_SPAN_MV = 50.0  # the widest ECG is a tenth of it; wider values are not in mV
MAX_OFFSET_MV = 1e6  # a kilovolt: what no amplifier survives is another quantity
_FINEST_GAIN = 1000.0  # 1 uV a step: below the noise of every recorder
_COARSEST_GAIN = 32.0  # int16 then spans 2 V; what lies beyond is no ECG and is clipped
_INT16_ROOM = 32000


def record_of(
    values: npt.NDArray[np.floating], *, name: str, fs_hz: float, leads: Sequence[str], units: Sequence[str | None]
) -> Record:
    """A record from floating-point values.

    Parameters
    ----------
    values : (n, leads); NaN or infinite where no sample was taken
    name : the record's name
    fs_hz : sampling rate in Hz
    leads : lead names
    units : per lead "mV", "uV", "V", "adc" (ADC units, 200 to the mV), or None where nobody says: then mV,
        if the values can be that

    Raises
    ------
    EcgStreamError : when a unit is not known, or nobody gives one and the values cannot be millivolts
    """
    samples = np.empty(values.shape, np.int16)
    gains, baselines = [], []
    for column, (lead, unit) in enumerate(zip(leads, units, strict=True)):
        one = np.asarray(values[:, column], np.float64)
        finite = one[np.isfinite(one)]
        middle = float(np.median(finite)) if finite.size else 0.0
        if (unit or "").lower() == ADC_UNIT:
            # The ADC value of 0 mV is not known: the median is nearest to it in an ECG.
            one, scale, gain, zero = one - round(middle), 1 / ADC_GAIN, ADC_GAIN, 0
            if finite.size and np.abs(finite - middle).max() > _INT16_ROOM:
                raise EcgStreamError(
                    f"lead {lead}: ADC units up to {np.abs(finite - middle).max():g} from their median, at most "
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
            widest = float(np.abs(finite - middle).max()) * scale if finite.size else 0.0
            gain = float(np.clip(_INT16_ROOM / widest, _COARSEST_GAIN, _FINEST_GAIN)) if widest else _FINEST_GAIN
            zero = round(middle * scale * gain)
        samples[:, column] = from_millivolts(one * scale - zero / gain, gain)
        gains.append(gain)
        baselines.append(-zero)
    return Record(
        name=name, fs_hz=fs_hz, leads=tuple(leads), samples=samples, gain=tuple(gains), baseline=tuple(baselines)
    )


def _millivolts_per_unit(unit: str | None, finite: npt.NDArray[np.float64], lead: str) -> float:
    if unit is not None:
        if unit.lower() not in UNITS_MV:
            raise EcgStreamError(f"lead {lead}: unit={unit!r} is not known: give mV, uV, V or adc")
        return UNITS_MV[unit.lower()]
    span = float(np.subtract(*np.percentile(finite, (99, 1)))) if finite.size else 0.0
    if span > MAX_SPAN_MV:
        raise EcgStreamError(
            f"lead {lead}: the values span {span:g}, above {MAX_SPAN_MV:g} mV, so they are not in mV: "
            "give their unit (mV, uV, V or adc)"
        )
    return 1.0
