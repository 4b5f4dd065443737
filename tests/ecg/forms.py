"""Twenty seconds of a real recording in every form that people send it in."""

import struct
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ecg.excerpts import EXCERPTS
from ecg.records import Int16Array, Record
from ecg.wfdb_files import read_wfdb

FS_HZ = 360
COUNT = 20 * FS_HZ
GAIN, BASELINE = 200.0, 1024
LEADS = ("MLII", "V1")


def base() -> Int16Array:
    """(7200, 2) int16: record 119, whose premature beats nobody can miss, at 200 steps to the mV around 1024."""
    record: Record = read_wfdb(EXCERPTS["119-excerpt"].path)
    assert (record.gain, record.baseline, record.leads) == ((GAIN, GAIN), (BASELINE, BASELINE), LEADS)
    return record.samples[:COUNT]


def millivolts() -> npt.NDArray[np.float64]:
    """(7200, 2): the same, mV."""
    return (base().astype(np.float64) - BASELINE) / GAIN


def wfdb(
    folder: Path,
    *,
    record: str = "r",
    line: str = "r 2 360 7200",
    fields: str = "16 200(1024)/mV 16 0 0 0 0",
    names: Sequence[str] = LEADS,
    header: str = "r.hea",
    data: str = "r.dat",
    named: str | None = None,
    values: npt.NDArray[np.generic] | None = None,
    encoding: str = "utf-8",
    before: bytes = b"",
) -> Path:
    """A WFDB record, by hand: any header, whatever a package would refuse to write."""
    folder.mkdir(exist_ok=True, parents=True)
    samples = base() if values is None else values
    (folder / data).write_bytes(before + np.ascontiguousarray(samples).astype("<i2").tobytes())
    lines = [line.replace("r ", f"{record} ", 1), *(f"{named or data} {fields} {name}".rstrip() for name in names)]
    (folder / header).write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return folder / header


def edf(
    path: Path,
    signals: Sequence[tuple[str, str, float, npt.NDArray[np.float64]]],
    *,
    record_s: float = 1.0,
    edits: Sequence[tuple[int, bytes]] = (),
    limits: tuple[float, float] = (-10.0, 10.0),
    bdf: bool = False,
    kind: str = "",
    onsets: Sequence[float] | None = None,
) -> Path:
    """An EDF or BDF file, by hand: label, unit, rate and values of each signal, the values within the limits.

    Parameters
    ----------
    edits : bytes that take the place of others, by where they begin
    kind : "EDF+C", say
    onsets : of the data records, s: an annotation signal has them
    """
    top = 2**23 - 1 if bdf else 32767
    counts = [round(rate * record_s) for *_, rate, _ in signals]
    records = min(len(values) // count for (*_, values), count in zip(signals, counts, strict=True)) if signals else 1
    labels, units = [label for label, *_ in signals], [unit for _, unit, *_ in signals]
    if onsets is not None or not signals:
        labels, units, counts = [*labels, "EDF Annotations"], [*units, ""], [*counts, 30]
    count = len(labels)
    low, high = limits
    columns: list[tuple[int, list[str]]] = [
        (16, labels),
        (80, [""] * count),
        (8, units),
        (8, [f"{low:g}"] * count),
        (8, [f"{high:g}"] * count),
        (8, [str(-top - 1)] * count),
        (8, [str(top)] * count),
        (80, [""] * count),
        (8, [str(each) for each in counts]),
        (32, [""] * count),
    ]
    fixed = "".ljust(160) + "01.02.2509.05.00" + str(256 * (count + 1)).ljust(8) + kind.ljust(44)
    fixed += str(records).ljust(8) + f"{record_s:g}".ljust(8) + str(count).ljust(4)
    head = bytearray((b"\xffBIOSEMI" if bdf else b"0       ") + fixed.encode("latin-1"))
    head += "".join(text[:width].ljust(width) for width, texts in columns for text in texts).encode("latin-1")
    body = bytearray()
    for record in range(records):
        for (*_, values), size in zip(signals, counts, strict=False):
            part = values[record * size : (record + 1) * size]
            steps = np.round((part - low) / (high - low) * (2 * top + 1) - top - 1).astype("<i4")
            raw = steps.astype("<i4").tobytes()
            body += b"".join(raw[at : at + 3] for at in range(0, len(raw), 4)) if bdf else steps.astype("<i2").tobytes()
        if len(labels) > len(signals):
            onset = onsets[record] if onsets is not None else 0.0
            body += f"+{onset:g}\x14\x14".encode().ljust(counts[-1] * (3 if bdf else 2), b"\0")
    raw_file = head + body
    for at, replacement in edits:
        raw_file[at : at + len(replacement)] = replacement
    path.write_bytes(bytes(raw_file))
    return path


def ishne(
    path: Path, *, codes: Sequence[int] = (6, 11), resolution: int = 5000, rate: int = FS_HZ, claimed: int | None = None
) -> Path:
    """An ISHNE Holter file, by hand."""
    values, codes, resolution, rate = base().astype(np.int32) - BASELINE, (6, 11), 5000, FS_HZ
    head = bytearray(522)
    head[:8] = b"ISHNE1.0"
    struct.pack_into("<iiii", head, 10, 0, claimed or len(values), 522, 522)
    struct.pack_into("<hh", head, 26, 1, 0)
    struct.pack_into("<h", head, 156, len(codes))
    for number in range(12):
        there = number < len(codes)
        struct.pack_into("<h", head, 158 + 2 * number, codes[number] if there else -9)
        struct.pack_into("<h", head, 206 + 2 * number, resolution if there else -9)
    struct.pack_into("<h", head, 272, rate)
    path.write_bytes(bytes(head) + values.astype("<i2").tobytes())
    return path


def aecg(path: Path, *, prefix: str = "", step: str = 'value="0.0027777777" unit="s"') -> Path:
    """An HL7 annotated ECG."""
    values = base().astype(int) - BASELINE
    time = f'<code code="TIME_ABSOLUTE"/><value xsi:type="GLIST_TS"><head value="20250102"/><increment {step}/></value>'
    sequences = "".join(
        f'<component><sequence><code code="MDC_ECG_LEAD_{name}"/><value xsi:type="SLIST_PQ"><origin value="0" '
        f'unit="uV"/><scale value="5" unit="uV"/><digits>{" ".join(map(str, values[:, column]))}</digits></value>'
        "</sequence></component>"
        for column, name in enumerate(("II", "V1"))
    )
    path.write_text(
        f'<?xml version="1.0" encoding="UTF-8"?>{prefix}<AnnotatedECG xmlns="urn:hl7-org:v3" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><component><series><component><sequenceSet>'
        f"<component><sequence>{time}</sequence></component>{sequences}</sequenceSet></component></series></component>"
        "</AnnotatedECG>"
    )
    return path


def muse(path: Path) -> Path:
    """A resting ECG as GE MUSE exports it: median beats first, then the rhythm."""
    from base64 import b64encode

    def waveform(kind: str, values: npt.NDArray[np.int64]) -> str:
        leads = "".join(
            f"<LeadData><LeadAmplitudeUnitsPerBit>5</LeadAmplitudeUnitsPerBit><LeadAmplitudeUnits>MICROVOLTS"
            f"</LeadAmplitudeUnits><LeadID>{name}</LeadID><WaveFormData>"
            f"{b64encode(values[:, column].astype('<i2').tobytes()).decode()}</WaveFormData></LeadData>"
            for column, name in enumerate(("II", "V1"))
        )
        return f"<Waveform><WaveformType>{kind}</WaveformType><SampleBase>360</SampleBase>{leads}</Waveform>"

    values = base().astype(np.int64) - BASELINE
    body = waveform("Median", values[:360]) + waveform("Rhythm", values)
    path.write_text(
        '<?xml version="1.0" encoding="ISO-8859-1"?><!DOCTYPE RestingECG SYSTEM "restecg.dtd">'
        f"<RestingECG>{body}</RestingECG>"
    )
    return path


def dicom(path: Path, *, sensitivity: str = "5", unit: str = "uV", padding: bool = False) -> Path:
    """A DICOM general ECG."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    values = base().astype(np.int32) - BASELINE
    if padding:
        values[1000:1400] = -32768

    def coded(value: str, meaning: str) -> Dataset:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCPECG", meaning
        return code

    channels = []
    for code, meaning in (("5.6.3-9-2", "Lead II"), ("5.6.3-9-3", "Lead V1")):
        channel = Dataset()
        channel.ChannelSourceSequence = [coded(code, meaning)]
        channel.ChannelSensitivity, channel.ChannelSensitivityCorrectionFactor = sensitivity, "1"
        channel.ChannelBaseline = "0"
        channel.ChannelSensitivityUnitsSequence = [coded(unit, unit)]
        channel.WaveformBitsStored = 16
        channels.append(channel)
    group = Dataset()
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = 2, len(values)
    group.SamplingFrequency = str(FS_HZ)
    group.ChannelDefinitionSequence = channels
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    if padding:
        group.WaveformPaddingValue = (-32768).to_bytes(2, "little", signed=True)
    group.WaveformData = values.astype("<i2").tobytes()
    held = Dataset()
    held.SOPClassUID, held.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.9.1.2", generate_uid()
    held.Modality = "ECG"
    held.WaveformSequence = [group]
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = held.SOPClassUID, held.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    held.file_meta = meta
    held.save_as(path, enforce_file_format=True)
    return path


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    """An archive whose members have exactly these names, backslashes too."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo("x")
            entry.filename = name
            archive.writestr(entry, content)
    return path


Writer = Callable[[Path], Path]
