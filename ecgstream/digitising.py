"""Pictures of paper ECGs to WFDB records, each with a picture of what was read where."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ecg.errors import EcgStreamError
from ecg.exports import Origin, export, plain_stem
from paper.overlay import draw_overlay
from paper.pictures import open_picture
from paper.reading import Hints, NoEcgError, PageReading, read_page


def digitise(path: Path, out: Path, hints: Hints) -> list[dict[str, Any]]:
    """Read every page of a picture or PDF that shows an ECG.

    Parameters
    ----------
    path : of the picture
    out : folder of the records and pictures
    hints : what a user gives

    Returns
    -------
    what was read on each page, as the JSON of `ecgstream digitise` has it

    Raises
    ------
    EcgStreamError : when no page shows an ECG, or the folder cannot be written
    """
    pages = open_picture(path)
    found: list[dict[str, Any]] = []
    errors: list[NoEcgError] = []
    for number, page in enumerate(pages, start=1):
        name = plain_stem(path.stem if len(pages) == 1 else f"{path.stem}-page{number}")
        try:
            reading = read_page(page, name=name, hints=hints)
        except NoEcgError as error:
            errors.append(error)
            continue
        try:
            out.mkdir(parents=True, exist_ok=True)
            header, *_ = export(out / name, reading.record, Origin(), "wfdb", replace=True)
            overlay = out / f"{name}-overlay.png"
            overlay.write_bytes(_png(draw_overlay(page, reading)))
        except OSError as error:
            raise EcgStreamError(f"{out} cannot be written ({error.strerror}): give another --out") from error
        found.append(_described(path, number, reading) | {"record": str(header), "overlay": str(overlay)})
    if not found:
        raise NoEcgError(f"{path.name}: {errors[0] if errors else 'it has no page'}")
    return found


def _png(image: npt.NDArray[np.uint8]) -> bytes:
    done, packed = cv2.imencode(".png", image)
    if not done:
        raise EcgStreamError("the overlay cannot be packed as PNG: report this")
    return packed.tobytes()


def _described(path: Path, page: int, reading: PageReading) -> dict[str, Any]:
    return {
        "file": str(path),
        "page": page,
        "layout": reading.layout,
        "mm_per_s": reading.mm_per_s,
        "mm_per_mv": reading.mm_per_mv,
        "quarter_turns": reading.turned,
        "sources": reading.sources,
        "doubts": list(reading.doubts),
        "fs_hz": reading.record.fs_hz,
        "seconds": round(reading.record.seconds, 3),
        "leads": [
            {
                "lead": lead.cell.lead,
                "row": lead.cell.row,
                "start_s": round(lead.start_s, 3),
                "seconds": round(len(lead.samples_mv) / reading.record.fs_hz, 3),
                "named": lead.cell.named,
                "confidence": list(lead.confidence),
            }
            for lead in reading.leads
        ],
    }


def lines_of(found: Sequence[dict[str, Any]]) -> list[str]:
    """Return what was read, for people."""
    lines = []
    for each in found:
        names = ", ".join(lead["lead"] if lead["named"] else f"{lead['lead']}?" for lead in each["leads"])
        sources = each["sources"]
        lines += [
            (
                f"{each['file']}, page {each['page']}: {each['layout']}, {each['seconds']:g} s, "
                f"{each['mm_per_s']:g} mm/s ({sources['speed']}), {each['mm_per_mv']:g} mm/mV ({sources['gain']}), "
                f"scale by {sources['scale']}"
            ),
            f"  leads: {names}",
            *(f"  {doubt}" for doubt in each["doubts"]),
            f"  written: {each['record']}, {each['overlay']}",
        ]
    return lines
