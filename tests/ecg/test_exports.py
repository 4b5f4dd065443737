"""Recordings written for other programs, and read again: by the readers here, and by packages of others."""

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import edfio
import numpy as np
import numpy.typing as npt
import pytest
import wfdb
from fhir.resources.R4B.observation import Observation
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg.edf_files import open_edf
from ecg.errors import EcgStreamError
from ecg.exports import FORMS, ExportForm, Origin, export
from ecg.files import open_recording
from ecg.leads import lead_name
from ecg.records import MISSING, Int16Array, Record, Recording
from ecg.wfdb_files import load_record, open_wfdb

START_NS = 1_700_000_000_123_456_789
ORIGIN = Origin(patient="ward 3-7", device="monitor", start_ns=START_NS)


def excerpt() -> Record:
    return load_record("119-excerpt", Path())


def with_holes(record: Record) -> Record:
    """A stretch lost in all leads, some samples in the second one, and the end of the first."""
    samples = record.samples[:7_300].copy()
    samples[1_000:3_000] = MISSING
    samples[5_000:5_003, 1] = MISSING
    samples[7_200:, 0] = MISSING
    return replace(record, samples=samples)


def read_back(path: Path) -> Record:
    found = open_recording(path)
    assert isinstance(found, Recording)
    return found.in_memory()


def fhir_samples(path: Path) -> tuple[dict[str, Any], npt.NDArray[np.float64]]:
    """A resource, and its samples in mV by FHIR's own rule; NaN where it says "E"."""
    text = path.read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text, parse_float=Decimal)
    assert Observation.model_validate_json(text).model_dump() == Observation.model_validate(found).model_dump()
    columns = []
    for part in found["component"]:
        data = part["valueSampledData"]
        values = [np.nan if one == "E" else float(Decimal(one) * data["factor"]) for one in data["data"].split()]
        columns.append(np.array(values) + float(data["origin"]["value"]))
    return found, np.stack(columns, axis=1)


def test_wfdb_gives_back_every_sample_with_its_holes(tmp_path: Path) -> None:
    record = with_holes(excerpt())
    files = export(tmp_path / "out", record, ORIGIN, "wfdb")
    assert [file.name for file in files] == ["out.hea", "out.dat"]
    again = read_back(files[0])
    np.testing.assert_array_equal(again.samples, record.samples)
    assert (again.leads, again.gain, again.baseline) == (record.leads, record.gain, record.baseline)
    other = wfdb.rdrecord(str(tmp_path / "out"), physical=False)
    np.testing.assert_array_equal(other.d_signal, record.samples)
    assert other.base_datetime.isoformat() == "2023-11-14T22:13:20.123456"
    assert [each % 65536 for each in other.calc_checksum()] == [each % 65536 for each in other.checksum]
    assert other.comments == ["patient: ward 3-7", "device: monitor"]


def test_edf_gives_back_every_sample_with_its_holes_and_writes_nothing_for_a_gap(tmp_path: Path) -> None:
    record = with_holes(excerpt())
    (path,) = export(tmp_path / "out", record, ORIGIN, "edf")
    again = read_back(path)
    np.testing.assert_array_equal(again.samples[: record.length], record.samples)
    assert (again.samples[record.length :] == MISSING).all()
    assert [lead_name(lead) for lead in again.leads] == [lead_name(lead) for lead in record.leads]
    np.testing.assert_allclose(again.gain, record.gain, rtol=1e-6)
    other = edfio.read_edf(path)
    # 7300 samples at 360 Hz are 21 data records, of which those from 3 to 7 hold nothing that was received.
    assert (other.num_data_records, other.data_record_duration) == (16, 1.0)
    lost = {one.text: one.onset for one in other.annotations if one.onset > 13}
    assert lost[f"Not received: {record.leads[1]}"] == pytest.approx(5_000 / 360)
    assert other.local_patient_identification == "ward_3-7 X X X"
    assert other.startdate.isoformat() == "2023-11-14"


def test_fhir_gives_back_every_sample_with_its_holes(tmp_path: Path) -> None:
    record = with_holes(excerpt())
    (path,) = export(tmp_path / "out", record, ORIGIN, "fhir")
    resource, millivolts = fhir_samples(path)
    expected = (record.samples - np.array(record.baseline)) / np.array(record.gain)
    expected[record.samples == MISSING] = np.nan
    np.testing.assert_allclose(millivolts, expected, rtol=1e-12)
    assert [one["code"] for one in resource["code"]["coding"]] == ["131328", "11524-6"]
    assert resource["subject"]["identifier"]["value"] == "ward 3-7"
    assert resource["effectivePeriod"]["start"] == "2023-11-14T22:13:20.123456Z"
    assert {float(part["valueSampledData"]["period"]) for part in resource["component"]} == {1000 / 360}


def test_fhir_has_the_codes_of_standard_leads_and_none_for_modified_ones(tmp_path: Path) -> None:
    leads = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6", "MLII", "CM5")
    samples = np.zeros((360, len(leads)), np.int16)
    record = Record(name="a", fs_hz=360.0, leads=leads, gain=(200.0,) * 14, baseline=(0,) * 14, samples=samples)
    (path,) = export(tmp_path / "twelve", record, Origin(), "fhir")
    codes = [part["code"] for part in json.loads(path.read_text())["component"]]
    assert [int(one["coding"][0]["code"]) if "coding" in one else None for one in codes] == [
        *(131329, 131330, 131389, 131390, 131391, 131392),  # limb leads, as the specification's example has the first
        *(131331, 131332, 131333, 131334, 131335, 131336),
        *(None, None),
    ]


@settings(max_examples=40, deadline=None)
@given(
    fs_hz=st.sampled_from([100.0, 128.0, 128.5, 257.0, 360.0, 500.0, 1000.0]),
    # Below the highest gain that is read at all: a header's digits may round it up.
    scale=st.tuples(st.floats(0.01, 9.9e5), st.integers(-32768, 32767)),
    holes=st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 1500), st.booleans()), max_size=4),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_scale_rate_and_holes_come_back(
    tmp_path_factory: pytest.TempPathFactory,
    fs_hz: float,
    scale: tuple[float, int],
    holes: list[tuple[int, int, bool]],
    seed: int,
) -> None:
    samples = np.random.default_rng(seed).integers(-32767, 32768, (4001, 2)).astype(np.int16)
    for at, size, both in holes:
        samples[at : at + size, slice(None) if both else 1] = MISSING
    samples[0], samples[-1] = 0, 0
    record = Record(
        name="any", fs_hz=fs_hz, leads=("II", "V5"), gain=(scale[0], 200.0), baseline=(scale[1], 0), samples=samples
    )
    folder = tmp_path_factory.mktemp("any")
    # By the formats' own readers: a scale that no ECG has is otherwise asked about.
    check_same(
        open_wfdb(export(folder / "any", record, Origin(), "wfdb", replace=True)[0]).in_memory(), record, most_off=0.0
    )
    try:
        (path,) = export(folder / "any", record, Origin(), "edf", replace=True)
    except EcgStreamError as error:  # eight digits are not enough for it
        assert "choose the format wfdb" in str(error)  # noqa: PT017 # either is right
        return
    check_same(open_edf(path).in_memory(), record, most_off=2e-5)


def check_same(again: Record, record: Record, *, most_off: float) -> None:
    np.testing.assert_array_equal(again.samples[: record.length], record.samples)
    assert (again.samples[record.length :] == MISSING).all()
    assert np.abs(np.array(again.baseline) - np.array(record.baseline)).max() <= (most_off > 0)
    np.testing.assert_allclose(again.gain, record.gain, rtol=most_off)


@pytest.mark.parametrize("form", FORMS)
def test_what_cannot_be_written_is_refused_with_a_remedy(tmp_path: Path, form: ExportForm) -> None:
    empty = replace(excerpt(), samples=np.empty((0, 2), np.int16))
    with pytest.raises(EcgStreamError, match="0 samples: give a stretch that has some"):
        export(tmp_path / "out", empty, Origin(), form)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(EcgStreamError, match=r"cannot be written .*: name another file"):
        export(tmp_path / "file" / "out", excerpt(), Origin(), form)


def test_the_remedy_for_a_stretch_too_long_for_fhir_works(tmp_path: Path) -> None:
    long = replace(excerpt(), samples=np.tile(excerpt().samples, (3, 1)))
    with pytest.raises(EcgStreamError, match=r"give a stretch of (\d+) s, or choose the format edf") as refused:
        export(tmp_path / "long", long, Origin(), "fhir")
    seconds = int(str(refused.value).split("give a stretch of ")[1].split()[0])
    shorter = long.stretch(0, int(seconds * long.fs_hz))
    _, millivolts = fhir_samples(export(tmp_path / "short", shorter, Origin(), "fhir")[0])
    assert len(millivolts) == shorter.length
    export(tmp_path / "long", long, Origin(), "edf")


def test_the_remedy_for_a_record_name_works(tmp_path: Path) -> None:
    with pytest.raises(EcgStreamError, match="name it my-ecg"):
        export(tmp_path / "my ecg", excerpt(), Origin(), "wfdb")
    assert read_back(export(tmp_path / "my-ecg", excerpt(), Origin(), "wfdb")[0]).length == excerpt().length


def test_a_rate_and_a_date_that_edf_has_no_place_for(tmp_path: Path) -> None:
    odd = replace(excerpt(), fs_hz=250.001)
    with pytest.raises(EcgStreamError, match="choose the format wfdb"):
        export(tmp_path / "odd", odd, Origin(), "edf")
    assert read_back(export(tmp_path / "odd", odd, Origin(), "wfdb")[0]).fs_hz == 250.001
    with pytest.raises(EcgStreamError, match="a recording of 1970 has no date in EDF"):
        export(tmp_path / "old", excerpt(), Origin(start_ns=0), "edf")


def test_a_stretch_is_read_from_its_part_of_the_recording() -> None:
    record = excerpt()
    part = record.stretch(100, 500)
    expected: Int16Array = record.samples[100:500]
    np.testing.assert_array_equal(part.in_memory().samples, expected)
    np.testing.assert_array_equal(part.stretch(50, 60).in_memory().samples, expected[50:60])
