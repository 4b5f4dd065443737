from pathlib import Path

import numpy as np
import pytest
import wfdb

from ecg.annotations import read_annotations
from ecg.errors import EcgStreamError


def write(directory: Path, *, fs: float | None = None) -> Path:
    wfdb.wrsamp(
        "r", fs=500, units=["mV"], sig_name=["II"], d_signal=np.zeros((1000, 1), np.int64), fmt=["16"],
        adc_gain=[200.0], baseline=[0], write_dir=str(directory),
    )  # fmt: skip
    wfdb.wrann(
        "r", "atr", np.array([5, 100, 300]), symbol=["+", "N", "V"], aux_note=["(AFIB", "", ""], fs=fs,
        write_dir=str(directory),
    )  # fmt: skip
    return directory / "r.hea"


def test_positions_symbols_and_notes(tmp_path: Path) -> None:
    annotations = read_annotations(write(tmp_path))
    assert annotations.sample.tolist() == [5, 100, 300]
    assert annotations.symbol == ("+", "N", "V")
    assert annotations.aux == ("(AFIB", "", "")


def test_a_time_unit_of_its_own_is_turned_into_samples(tmp_path: Path) -> None:
    assert read_annotations(write(tmp_path, fs=250)).sample.tolist() == [10, 200, 600]


def test_missing_and_damaged_files_are_refused(tmp_path: Path) -> None:
    header = write(tmp_path)
    with pytest.raises(EcgStreamError, match=r"no file .*r\.qrs"):
        read_annotations(header, extension="qrs")
    (tmp_path / "r.atr").write_bytes(b"\x01")
    with pytest.raises(EcgStreamError, match="no WFDB annotation file"):
        read_annotations(header)
