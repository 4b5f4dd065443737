"""The command that reads pictures of paper ECGs."""

from pathlib import Path
from typing import Annotated

import typer

from ecgstream.commands.options import Json, lead_names


def digitise(
    pictures: Annotated[
        list[Path], typer.Argument(metavar="PICTURE...", help="PNG, JPEG, TIFF, BMP, WebP, HEIC or PDF.")
    ],
    *,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where records and overlays go.")] = Path(),
    layout: Annotated[
        str | None, typer.Option(help="Arrangement of the leads: 3x4, 3x4+1, 6x2, 12x1, ...; else it is found.")
    ] = None,
    leads: Annotated[
        str | None, typer.Option(help="Lead names, down the columns and then of the strips, separated by commas.")
    ] = None,
    speed: Annotated[float | None, typer.Option(min=5, max=200, metavar="MM/S", help="Paper speed; else read.")] = None,
    gain: Annotated[float | None, typer.Option(min=1, max=80, metavar="MM/MV", help="Gain; else read.")] = None,
    px_per_mm: Annotated[
        float | None, typer.Option(min=1, max=100, metavar="PX", help="Pixels of a millimetre, where no grid is seen.")
    ] = None,
    json: Json = None,
) -> None:
    """Read pictures of paper ECGs: samples as WFDB, and a picture of what was read where."""
    from ecg.errors import EcgStreamError
    from ecgstream.digitising import digitise as read_pictures
    from ecgstream.digitising import lines_of
    from ecgstream.failures import complain, one_line
    from ecgstream.running import STDOUT, reader_may_leave, write_json
    from ecgstream.settings import OptionError
    from paper.layouts import layout_named
    from paper.reading import Hints

    if layout is not None:
        try:
            layout_named(layout)
        except EcgStreamError as error:
            raise OptionError(f"--layout: {error}") from error
    hints = Hints(layout=layout, leads=lead_names(leads), mm_per_s=speed, mm_per_mv=gain, px_per_mm=px_per_mm)
    results: list[dict[str, object]] = []
    failed: list[EcgStreamError] = []
    with reader_may_leave():
        for picture in pictures:
            try:
                found = read_pictures(picture, out, hints)
            except EcgStreamError as error:
                results.append({"file": str(picture), "error": one_line(error)})
                failed.append(error)
                continue
            results += found
            if json != STDOUT:
                typer.echo("\n".join(lines_of(found)))
        write_json({"results": results}, json)
    for each in failed[:-1]:
        complain(each)
    if failed:
        raise failed[-1]
