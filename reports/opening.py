"""Recordings from files of any kind, pictures of paper ECGs among them: where samples and paper meet."""

from dataclasses import replace
from pathlib import Path

from ecg.errors import EcgStreamError
from ecg.files import main_file, open_recording
from ecg.formats import holds_picture
from ecg.npy_files import WindowSet
from ecg.records import Record, Recording

SHORT_S = 30.0  # what a shorter recording cannot tell is said


def open_any(
    path: Path, *, fs_hz: float | None = None, leads: tuple[str, ...] | None = None, unit: str | None = None
) -> Recording | WindowSet:
    """Return what a file holds: samples of any format that is read, or a picture of a paper ECG.

    Parameters
    ----------
    path : the file, any file of a record, or a record's name
    fs_hz, unit : see ``ecg.files.open_recording``; a picture has its own
    leads : see there; of a picture, the names down its columns and then of its rhythm strips

    Raises
    ------
    EcgStreamError : when the file cannot be read, or shows no ECG
    """
    main = main_file(path)
    if not main.is_file() or not holds_picture(main):
        return open_recording(path, fs_hz=fs_hz, leads=leads, unit=unit)
    return open_picture_of(main, leads=leads)


def open_picture_of(path: Path, *, leads: tuple[str, ...] | None = None) -> Record:
    """Return the ECG on the first page of a picture or PDF that shows one.

    Parameters
    ----------
    path : of the picture
    leads : names, before those that are read

    Raises
    ------
    EcgStreamError : when it is no picture that is read, or no page shows an ECG
    """
    # OpenCV and the text recogniser are loaded for pictures alone.
    from paper.pictures import open_picture  # noqa: PLC0415
    from paper.reading import Hints, NoEcgError, PageReading, read_page  # noqa: PLC0415

    pages = open_picture(path)
    found: list[tuple[int, PageReading]] = []
    error: EcgStreamError | None = None
    for number, page in enumerate(pages, start=1):
        try:
            found.append((number, read_page(page, name=path.stem, hints=Hints(leads=leads))))
            break
        except NoEcgError as each:
            error = error or each
    if not found:
        raise error or NoEcgError(f"{path.name} has no page: give one that shows an ECG")
    number, reading = found[0]
    remarks = [
        (
            f"read from a picture: {reading.layout}, {reading.mm_per_s:g} mm/s ({reading.sources['speed']}), "
            f"{reading.mm_per_mv:g} mm/mV ({reading.sources['gain']}), scale by {reading.sources['scale']}, lead names "
            f"{reading.sources['names']}"
        ),
        *reading.doubts,
    ]
    if number < len(pages):
        remarks.append(f"page {number} of {len(pages)} is judged: 'ecgstream digitise' reads them all")
    if reading.record.seconds < SHORT_S:
        remarks.append(
            f"{reading.record.seconds:.0f} s on paper show the rhythm of that moment: not how often anything comes, "
            "and not what comes and goes"
        )
    return replace(reading.record, remarks=tuple(remarks))
