"""Samples of the past as files, read again as anybody would."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ecg.errors import EcgStreamError
from ecg.exports import FORMS, ExportForm
from ecg.files import read_file
from ecg.leads import lead_name
from ecg.records import MISSING
from tests.web.past.sampled import sampled, with_holes
from web.past.exported import exported


@pytest.mark.parametrize("form", ["wfdb", "edf"])
def test_a_file_holds_all_samples_and_the_gaps(tmp_path: Path, form: ExportForm) -> None:
    found = sampled(with_holes(3600, slice(400, 1500), slice(2000, 2001)))
    file = exported(found, form)
    content = tmp_path / file.name
    content.write_bytes(file.content)
    if form == "wfdb":
        zipfile.ZipFile(io.BytesIO(file.content)).extractall(tmp_path)
        content = content.with_suffix(".hea")
    again = read_file(content)
    assert [lead_name(lead) for lead in again.leads] == ["V1", "MLII"]
    np.testing.assert_array_equal(again.samples, found.samples)


@pytest.mark.parametrize("form", FORMS)
def test_a_file_is_named_by_patient_and_time(form: ExportForm) -> None:
    file = exported(replace(sampled(with_holes(3600)), patient="ward:3+7"), form)
    suffix = {"wfdb": "zip", "edf": "edf", "fhir": "json"}[form]
    assert file.name == f"ward-3-7-20231114T221320Z.{suffix}"


def test_nothing_but_gaps_is_no_edf() -> None:
    with pytest.raises(EcgStreamError, match="no sample that was received: give another stretch"):
        exported(sampled(np.full((3600, 2), MISSING, np.int16)), "edf")
