"""A drawn figure as SVG, PNG or PDF, true to its size in print."""

import io
import re

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from reports.scale import MM_PER_INCH

DPI = 150
PNG_LEVEL = 3  # of zlib: a third of the time of its default for a sixth more bytes
_FINER = re.compile(r"(?<=\d)(\.\d{3})\d+")  # a thousandth of a point is enough, and half the bytes


def to_svg(figure: Figure, *, prefix: str = "ecg") -> str:
    """A figure as SVG, measured in millimetres.

    Parameters
    ----------
    prefix : begins every id in it; figures that share a page each need their own
    """
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]  # matplotlib has no types here
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    width_mm, height_mm = figure.get_size_inches() * MM_PER_INCH
    text = re.sub(
        r'width="[\d.]+pt" height="[\d.]+pt"', f'width="{width_mm:.3f}mm" height="{height_mm:.3f}mm"', text, count=1
    )
    text = _FINER.sub(r"\1", text)
    # matplotlib's ids are random or the same in every figure: on one page they would refer to each other.
    numbers: dict[str, int] = {}

    def named(match: re.Match[str]) -> str:
        return f"{match[1]}{prefix}-{numbers.setdefault(match[2], len(numbers))}{match[3]}"

    return re.sub(r'(\bid="|href="#|url\(#)([^")]+)("|\))', named, text)


def to_png(figure: Figure, *, dpi: float = DPI) -> bytes:
    """A figure as PNG that says its resolution, so that it prints true to scale.

    Parameters
    ----------
    dpi : pixels an inch
    """
    buffer = io.BytesIO()
    figure.set_dpi(dpi)
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None}, pil_kwargs={"compress_level": PNG_LEVEL})  # type: ignore[no-untyped-call]  # matplotlib has no types here
    return buffer.getvalue()


def to_pdf(figure: Figure) -> bytes:
    """A figure as a PDF of one page."""
    buffer = io.BytesIO()
    FigureCanvasPdf(figure).print_pdf(buffer, metadata={"CreationDate": None})  # type: ignore[no-untyped-call]  # matplotlib has no types here
    return buffer.getvalue()
