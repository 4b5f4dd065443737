"""The strip that shows an alarm: the samples around its onset, as the device sent them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AlarmStrip:
    """Samples around an alarm's onset.

    Attributes
    ----------
    alarm : the alarm's id
    patient : whose
    leads : names of the leads
    fs_hz : sampling rate, Hz
    start_ns : time of the first sample, ns UTC of the recording
    gain : ADC units per mV, of each lead
    baseline : ADC value of 0 mV, of each lead
    samples : (n, leads) int16, ADC units; ``ecg.records.MISSING`` where no sample came
    """

    alarm: str
    patient: str
    leads: tuple[str, ...]
    fs_hz: float
    start_ns: int
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    samples: NDArray[np.int16]
