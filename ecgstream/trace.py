"""A stretch of ECG as braille characters: two columns and four rows of dots in each."""

import numpy as np
import numpy.typing as npt

# Bits of the dots of a braille character, by row and column.
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint16)
_BLANK = 0x2800
BLANK_MV = 0.2  # below this height a line is drawn flat and not blown up


def draw(samples_mv: npt.NDArray[np.floating], *, width: int, height: int) -> list[str]:
    """Draw samples as lines of text.

    Parameters
    ----------
    samples_mv : (n,) mV; NaN where no sample was taken
    width, height : size in characters

    Returns
    -------
    list of str : ``height`` lines of ``width`` characters; a column without any sample stays empty
    """
    columns, rows = 2 * width, 4 * height
    cells = np.zeros((height, width), np.uint16)
    finite = samples_mv[np.isfinite(samples_mv)]
    if len(finite):
        low, high = float(finite.min()), float(finite.max())
        middle, span = (low + high) / 2, max(high - low, BLANK_MV)
        bounds = np.linspace(0, len(samples_mv), columns + 1).astype(int)
        last: int | None = None
        for column in range(columns):
            part = samples_mv[bounds[column] : max(bounds[column + 1], bounds[column] + 1)]
            part = part[np.isfinite(part)]
            if not len(part):
                last = None
                continue
            tops = np.round((0.5 - (np.array([part.max(), part.min()]) - middle) / span) * (rows - 1)).astype(int)
            first, end = int(tops[0]), int(tops[1])
            if last is not None:  # joined to the column before, so that a steep slope is one line
                first, end = min(first, last), max(end, last)
            last = int(tops[0]) if abs(tops[0] - (last or 0)) > abs(tops[1] - (last or 0)) else int(tops[1])
            for row in range(max(first, 0), min(end, rows - 1) + 1):
                cells[row // 4, column // 2] |= _DOTS[row % 4, column % 2]
    return ["".join(chr(_BLANK + int(cell)) for cell in line) for line in cells]
