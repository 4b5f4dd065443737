"""Text on a drawing: which letters there are, and how times are written."""

from functools import cache

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont, get_font

FONT = "DejaVu Sans"  # comes with matplotlib: the same everywhere
SMALL_PT, TEXT_PT = 6.5, 7.5
INK, PALE = "#101418", "#5b6570"


def clock(t_s: float) -> str:
    """A time as h:mm:ss, with tenths where it has some."""
    tenths = round(t_s * 10)
    minutes, rest = divmod(abs(tenths), 600)
    fraction = f".{rest % 10}" if rest % 10 else ""
    return f"{'-' if tenths < 0 else ''}{minutes // 60}:{minutes % 60:02d}:{rest // 10:02d}{fraction}"


def printable(text: str, longest: int = 120) -> str:
    """Text as it can be drawn: what the font lacks becomes a question mark, what is too long is cut.

    Lead names and file names come from anywhere.
    """
    known = _charmap()
    shown = "".join(letter if ord(letter) in known and letter.isprintable() else "?" for letter in text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


@cache
def _charmap() -> frozenset[int]:
    return frozenset(get_font(findfont(FontProperties(family=FONT))).get_charmap())


def write(
    axes: Axes,
    x_mm: float,
    y_mm: float,
    text: str,
    *,
    size_pt: float = SMALL_PT,
    colour: str = INK,
    bold: bool = False,
    align: str = "left",
) -> None:
    """Write text at a place in mm, taken letter by letter: what looks like a formula is none."""
    axes.text(
        x_mm,
        y_mm,
        printable(text),
        fontsize=size_pt,
        color=colour,
        family=FONT,
        weight="bold" if bold else "normal",
        ha=align,
        va="baseline",
        parse_math=False,
        zorder=6,
    )
