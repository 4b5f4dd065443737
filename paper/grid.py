"""The grid of ECG paper: where in a picture its lines lie, and so the place in millimetres of every pixel."""

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
InkArray = npt.NDArray[np.float32]

TILE_PX = 256
_STEP_PX = 128
_PADDED = 512
_SLANT = 0.36  # tangent of the most that lines may lean
_PERIOD_PX = (2.3, 90.0)  # of lines that are looked for
_SEED = 7.0  # a peak's height over the spectrum around it, where the search begins
_FOLLOWED = 3.5  # and where it goes on
_DRIFT = 0.08  # by which the lines' distance may change from one tile to the next
_LEAST_TILES = 0.3  # of all, in which lines must be found
_DEGREE = 3
_PEAK_WIDE = 8  # places of a spectrum on each side of a peak that are its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Lattice:
    """Lines of a grid in one direction, as a smooth field: it grows by 1 from line to line.

    Attributes
    ----------
    terms : coefficients of a polynomial of degree 3 of the place in units of ``size_px``
    size_px : by which places are divided
    share : of the picture in which the lines were seen
    """

    terms: FloatArray
    size_px: float
    share: float

    def at(self, x_px: FloatArray, y_px: FloatArray) -> FloatArray:
        """Return the field at places of the picture."""
        return _powers(x_px / self.size_px, y_px / self.size_px) @ self.terms

    def slope_at(self, x_px: float, y_px: float) -> FloatArray:
        """Return how much the field grows in a pixel across and downwards: (2,) float64."""
        x, y = np.array([x_px, x_px + 1.0, x_px]), np.array([y_px, y_px, y_px + 1.0])
        here, across, down = self.at(x, y)
        return np.array([across - here, down - here])


def lines_in(ink: InkArray, *, upright: bool, other_than: Lattice | None = None) -> Lattice | None:
    """Return the grid's lines of one direction; None where none are seen.

    Parameters
    ----------
    ink : (height, width) float32, see ``paper.ink``
    upright : whether upright lines are looked for, or level ones
    other_than : lines of this direction that are not meant: a screen's pattern
    """
    spectra, places = _spectra(ink if upright else np.ascontiguousarray(ink.T))
    if not spectra:
        return None
    if other_than is not None:
        for key, (x, y) in places.items():
            slope = other_than.slope_at(x, y) if upright else other_than.slope_at(y, x)[::-1]
            _leave_out(spectra[key], slope)
    found = _followed(spectra)
    whole = len(spectra)
    if found is None or len(found) < max(2, _LEAST_TILES * whole):
        return None
    keys = list(found)
    at = np.array([places[key] for key in keys])
    slope = np.array([found[key] for key in keys])
    size = float(max(ink.shape))
    terms = _fit(at / size, slope * size, degree=_DEGREE if len(keys) >= 12 else 1)
    if not upright:  # the field of the transposed picture: x and y change places
        terms = terms[_TRANSPOSED]
    return Lattice(terms=terms, size_px=size, share=len(found) / whole)


_EXPONENTS = [(i, j) for i in range(_DEGREE + 1) for j in range(_DEGREE + 1 - i)]
_TRANSPOSED = [_EXPONENTS.index((j, i)) for i, j in _EXPONENTS]


def _powers(x: FloatArray, y: FloatArray) -> FloatArray:
    return np.stack([x**i * y**j for i, j in _EXPONENTS], axis=-1)


def _fit(at: FloatArray, slope: FloatArray, *, degree: int) -> FloatArray:
    """Fit a field whose slopes are given, leaving out tiles that do not fit."""
    x, y = at.T
    zero = np.zeros_like(x)
    along_x = np.stack([i * x ** (i - 1) * y**j if i else zero for i, j in _EXPONENTS], axis=1)
    along_y = np.stack([j * x**i * y ** (j - 1) if j else zero for i, j in _EXPONENTS], axis=1)
    used = [n for n, (i, j) in enumerate(_EXPONENTS) if 0 < i + j <= degree]
    matrix, wanted = np.concatenate([along_x, along_y])[:, used], np.concatenate([slope[:, 0], slope[:, 1]])
    keep = np.ones(len(x), bool)
    terms = np.zeros(len(_EXPONENTS))
    for _ in range(4):
        both = np.tile(keep, 2)
        terms[used] = np.linalg.lstsq(matrix[both], wanted[both], rcond=None)[0]
        off = np.abs(matrix @ terms[used] - wanted).reshape(2, -1).max(axis=0)
        limit = max(3.0 * float(np.median(off[keep])), 1e-3 * float(np.abs(wanted).max()))
        keep = off <= limit
        if keep.sum() < max(4, len(used)):
            break
    return terms


def _spectra(ink: InkArray) -> tuple[dict[tuple[int, int], InkArray], dict[tuple[int, int], tuple[float, float]]]:
    """Spectra of overlapping tiles, each whitened, by row and column; and the tiles' middles."""
    height, width = ink.shape
    tile = min(TILE_PX, height, width)
    window = np.outer(np.hanning(tile), np.hanning(tile)).astype(np.float32)
    spectra: dict[tuple[int, int], InkArray] = {}
    places: dict[tuple[int, int], tuple[float, float]] = {}
    tops = np.linspace(0, height - tile, max(1, round((height - tile) / _STEP_PX) + 1)).astype(int)
    lefts = np.linspace(0, width - tile, max(1, round((width - tile) / _STEP_PX) + 1)).astype(int)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            part = ink[top : top + tile, left : left + tile]
            if part.max() <= 0:
                continue
            part = np.minimum(part, max(3 * float(part.mean()), 1e-3))  # strokes are darker than lines
            part = (part - part.mean()) * window
            power = np.abs(np.fft.rfft2(part, (_PADDED, _PADDED)))
            band = np.concatenate([power[-_BAND:], power[: _BAND + 1]])
            white = band / (cv2.blur(band.astype(np.float32), (41, 41)) + 1e-6)
            spectra[row, column] = (white * _WEDGE).astype(np.float32)
            places[row, column] = (left + tile / 2, top + tile / 2)
    return spectra, places


_BAND = int(_PADDED / 2 * _SLANT)
_FY = np.arange(-_BAND, _BAND + 1)[:, None] / _PADDED
_FX = np.arange(_PADDED // 2 + 1)[None, :] / _PADDED
_WEDGE = (np.abs(_FY) <= _SLANT * _FX) & (1 / _PERIOD_PX[1] <= _FX) & (1 / _PERIOD_PX[0] >= _FX)


def _followed(
    spectra: dict[tuple[int, int], InkArray],
) -> dict[tuple[int, int], FloatArray] | None:
    """Frequency of the lines in each tile in which they are seen, cycles per pixel along x and y.

    One peak is followed from the tile in which it is clearest to its neighbours: with perspective it moves.
    """
    tops = {key: float(each.max()) for key, each in spectra.items()}
    total = np.mean(np.stack(list(spectra.values())), axis=0)
    best_total = np.unravel_index(int(np.argmax(total)), total.shape)
    seed = max(tops, key=lambda key: tops[key] * _near(spectra[key], best_total))
    peak = np.unravel_index(int(np.argmax(spectra[seed])), spectra[seed].shape)
    if spectra[seed][peak] < _SEED:
        return None
    found = {seed: _refined(spectra[seed], (int(peak[0]), int(peak[1])))}
    waiting = deque([seed])
    while waiting:
        here = waiting.popleft()
        for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            key = (here[0] + step[0], here[1] + step[1])
            if key not in spectra or key in found:
                continue
            place = _peak_near(spectra[key], found[here])
            if place is not None:
                found[key] = place
                waiting.append(key)
    return found


def _near(spectrum: InkArray, peak: tuple[np.intp, ...]) -> float:
    row, column = int(peak[0]), int(peak[1])
    return 1.0 + float(spectrum[max(0, row - 6) : row + 7, max(0, column - 6) : column + 7].max())


def _peak_near(spectrum: InkArray, frequency: FloatArray) -> FloatArray | None:
    reach = max(2, round(_DRIFT * float(np.hypot(*frequency)) * _PADDED))
    row, column = round(frequency[1] * _PADDED) + _BAND, round(frequency[0] * _PADDED)
    top, left = max(0, row - reach), max(0, column - reach)
    part = spectrum[top : row + reach + 1, left : column + reach + 1]
    if part.size == 0:
        return None
    place = np.unravel_index(int(np.argmax(part)), part.shape)
    if part[place] < _FOLLOWED:
        return None
    return _refined(spectrum, (top + int(place[0]), left + int(place[1])))


def _leave_out(spectrum: InkArray, frequency: FloatArray) -> None:
    """Set the peak at a frequency to nothing, in place."""
    row, column = round(frequency[1] * _PADDED) + _BAND, round(frequency[0] * _PADDED)
    top, left = max(0, row - _PEAK_WIDE), max(0, column - _PEAK_WIDE)
    spectrum[top : max(0, row + _PEAK_WIDE + 1), left : max(0, column + _PEAK_WIDE + 1)] = 0.0


def _refined(spectrum: InkArray, peak: tuple[int, int]) -> FloatArray:
    row, column = peak
    off = [0.0, 0.0]
    for axis, (here, last) in enumerate(((row, spectrum.shape[0] - 1), (column, spectrum.shape[1] - 1))):
        if 0 < here < last:
            line = spectrum[here - 1 : here + 2, column] if axis == 0 else spectrum[row, here - 1 : here + 2]
            before, at, after = (float(each) for each in line)
            bend = before - 2 * at + after
            off[axis] = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return np.array([(column + off[1]) / _PADDED, (row + off[0] - _BAND) / _PADDED])
