"""Hand-made recordings: small enough to read, real files on disk."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import wfdb

FS_HZ = 360


def write_record(
    directory: Path,
    name: str,
    *,
    beat_s: npt.NDArray[np.float64],
    symbols: list[str],
    seconds: float = 60.0,
    seed: int = 0,
) -> None:
    """A record with a pulse at every beat, wider for V, and its annotations."""
    time_s = np.arange(int(seconds * FS_HZ)) / FS_HZ
    random = np.random.default_rng(seed)
    lead = 0.02 * random.standard_normal(len(time_s))
    for beat, symbol in zip(beat_s, symbols, strict=True):
        width_s = 0.06 if symbol == "V" else 0.02
        lead += np.exp(-(((time_s - beat) / width_s) ** 2)) - 0.1 * np.exp(-(((time_s - beat - 0.25) / 0.06) ** 2))
    both = np.stack([lead, 0.5 * lead + 0.02 * random.standard_normal(len(time_s))], axis=1)
    wfdb.wrsamp(
        name,
        fs=FS_HZ,
        units=["mV", "mV"],
        sig_name=["MLII", "V1"],
        p_signal=both,
        fmt=["16", "16"],
        adc_gain=[200.0, 200.0],
        baseline=[0, 0],
        write_dir=str(directory),
    )
    wfdb.wrann(
        name, "atr", np.round(beat_s * FS_HZ).astype(np.int64), symbol=symbols, fs=FS_HZ, write_dir=str(directory)
    )
