"""Recordings as files of every kind, made of a real one."""

import io
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import edfio
import numpy as np
import numpy.typing as npt
import wfdb

from ecg.wfdb_files import toy_record

FS_HZ = 360


@cache
def millivolts(seconds: int = 30) -> npt.NDArray[np.float64]:
    """(n, 2) two leads of a real ECG, mV."""
    lead = toy_record().samples[: seconds * FS_HZ] / 200
    return np.hstack([lead, -lead / 2])


def npy(values: npt.NDArray[np.generic]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


def csv(seconds: int = 30) -> bytes:
    rows = (f"{n / FS_HZ:.4f},{a:.3f},{b:.3f}" for n, (a, b) in enumerate(millivolts(seconds)))
    return "\n".join(["time,MLII,V5", *rows]).encode()


def edf(seconds: int = 30) -> bytes:
    values = millivolts(seconds)
    signals = [
        edfio.EdfSignal(values[:, column], FS_HZ, label=label, physical_dimension="mV", physical_range=(-10, 10))
        for column, label in enumerate(("ECG MLII", "ECG V5"))
    ]
    return edfio.Edf(signals).to_bytes()


def wfdb_files(name: str = "r", seconds: int = 30) -> dict[str, bytes]:
    """Header, samples and annotations."""
    with TemporaryDirectory() as folder:
        wfdb.wrsamp(
            name,
            fs=FS_HZ,
            units=["mV", "mV"],
            sig_name=["MLII", "V5"],
            p_signal=millivolts(seconds),
            fmt=["16", "16"],
            write_dir=folder,
        )
        wfdb.wrann(name, "atr", np.array([300, 900, 1500]), ["N", "V", "N"], write_dir=folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()
