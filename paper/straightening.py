"""Paper laid flat: a picture warped so that the grid's lines are level, upright and evenly far apart."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from paper.grid import Lattice, lines_in
from paper.ink import Ink

FloatArray = npt.NDArray[np.float64]
InkArray = npt.NDArray[np.float32]

_COARSE_PX = 16  # the map is reckoned so far apart and filled in between
_NEWTON_STEPS = 12
_SAME_PATTERN = 0.35  # of the followed lines' strength, from which a longer distance is the true one
_STANDS_OUT = 1.8  # strength of every fifth line over what lies between
_USUAL_WIDTH_MM = 250.0  # ten seconds at 25 mm/s
_MOST_PX = 3200  # width or height of the flat picture
_DOUBTED = 20.0  # weight of sides that do not agree: then what was followed is no grid
_SKEW = 0.12  # cosine of the angle between lines that are square to each other, seen from aslant
_SIDE_RATIO = 1.12  # by which a millimetre across may differ from one upwards before one of them is doubted


@dataclass(frozen=True, slots=True, kw_only=True)
class Flat:
    """The ink of paper laid flat.

    Attributes
    ----------
    ink, grid : (height, width) float32, see ``paper.ink``
    to_picture : (height, width, 2) float32, where each pixel lies in the picture, x and y
    mm_px : pixels of a millimetre across and upwards; None where no grid is seen
    """

    ink: InkArray
    grid: InkArray
    to_picture: InkArray
    mm_px: tuple[float, float] | None


def lay_flat(ink: Ink) -> Flat:
    """Lay a picture flat by the grid in it; one without a grid stays as it is.

    Parameters
    ----------
    ink : of the whole picture
    """
    across, upwards = _square_lines(ink.grid)
    height, width = ink.trace.shape
    if across is None or upwards is None:
        return _as_it_is(ink)
    places, unit_px = _places((across, upwards), width, height)
    map_x, map_y = places[:, :, 0], places[:, :, 1]
    grid = np.asarray(cv2.remap(ink.grid, map_x, map_y, cv2.INTER_LINEAR), np.float32)
    trace = np.asarray(cv2.remap(ink.trace, map_x, map_y, cv2.INTER_LINEAR), np.float32)
    inside = (map_x >= 0) & (map_x <= width - 1) & (map_y >= 0) & (map_y <= height - 1)
    mm_px = _millimetres(grid, inside, unit_px)
    if mm_px is None:
        return _as_it_is(ink)
    return Flat(ink=trace, grid=grid, to_picture=places, mm_px=mm_px)


def _square_lines(grid: InkArray) -> tuple[Lattice | None, Lattice | None]:
    """Return the upright and the level lines; what is not square to the other is a screen's pattern, and left out."""
    across, upwards = lines_in(grid, upright=True), lines_in(grid, upright=False)
    if across is None or upwards is None or _is_square(across, upwards, grid.shape):
        return across, upwards
    other = lines_in(grid, upright=True, other_than=across)
    if other is not None and _is_square(other, upwards, grid.shape):
        return other, upwards
    other = lines_in(grid, upright=False, other_than=upwards)
    if other is not None and _is_square(across, other, grid.shape):
        return across, other
    return across, upwards


def _is_square(across: Lattice, upwards: Lattice, shape: tuple[int, ...]) -> bool:
    """Return whether lines of two directions stand square to each other in the middle of a picture."""
    one, other = (field.slope_at(shape[1] / 2, shape[0] / 2) for field in (across, upwards))
    length = float(np.hypot(*one) * np.hypot(*other))
    return length > 0 and abs(float(one @ other)) / length <= _SKEW


def _as_it_is(ink: Ink) -> Flat:
    height, width = ink.trace.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return Flat(ink=ink.trace, grid=ink.grid, to_picture=np.stack([x, y], axis=-1), mm_px=None)


def _places(fields: tuple[Lattice, Lattice], width: int, height: int) -> tuple[InkArray, tuple[float, float]]:
    """Return where each pixel of the flat picture lies in the picture, and pixels of a grid unit there."""
    x, y = np.meshgrid(np.linspace(0, width - 1, 24), np.linspace(0, height - 1, 24))
    values = [field.at(x, y) for field in fields]
    middle = np.array([width / 2]), np.array([height / 2])
    unit = []
    for field in fields:
        dx = field.at(middle[0] + 1, middle[1]) - field.at(*middle)
        dy = field.at(middle[0], middle[1] + 1) - field.at(*middle)
        unit.append(1.0 / float(np.hypot(dx, dy)[0]))
    spans = [float(np.ptp(each)) * px for each, px in zip(values, unit, strict=True)]
    shrink = min(1.0, _MOST_PX / max(spans))
    unit = [px * shrink for px in unit]
    size = [max(2, round(float(np.ptp(each)) * px)) for each, px in zip(values, unit, strict=True)]
    coarse = [np.arange(0, each + _COARSE_PX, _COARSE_PX) for each in size]
    u, v = np.meshgrid(values[0].min() + coarse[0] / unit[0], values[1].min() + coarse[1] / unit[1])
    px, py = _inverted(fields, u, v, (width, height))
    full = []
    for part in (px, py):
        finer = (len(coarse[0]) * _COARSE_PX, len(coarse[1]) * _COARSE_PX)
        # Coarse nodes stand at multiples of the step: half a step of shift makes resize's middles meet them.
        shift = np.array([[_COARSE_PX, 0, 0.0], [0, _COARSE_PX, 0.0]])
        full.append(
            cv2.warpAffine(
                part.astype(np.float32), shift, finer, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
        )
    places = np.stack(full, axis=-1)[: size[1], : size[0]]
    return np.ascontiguousarray(places), (unit[0], unit[1])


def _inverted(
    fields: tuple[Lattice, Lattice], u: FloatArray, v: FloatArray, size: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """Find the places at which two fields have given values, by Newton's method."""
    corners = np.array([[0, 0], [size[0], 0], [0, size[1]], [size[0], size[1]]], np.float64)
    known = np.stack([field.at(corners[:, 0], corners[:, 1]) for field in fields], axis=1)
    plane = np.linalg.lstsq(np.column_stack([known, np.ones(4)]), corners, rcond=None)[0]
    start = np.stack([u, v, np.ones_like(u)], axis=-1) @ plane
    x, y = start[..., 0], start[..., 1]
    far = max(size)
    for _ in range(_NEWTON_STEPS):
        off_u, off_v = u - fields[0].at(x, y), v - fields[1].at(x, y)
        ux, uy = fields[0].at(x + 1, y) - fields[0].at(x, y), fields[0].at(x, y + 1) - fields[0].at(x, y)
        vx, vy = fields[1].at(x + 1, y) - fields[1].at(x, y), fields[1].at(x, y + 1) - fields[1].at(x, y)
        det = ux * vy - uy * vx
        det = np.where(np.abs(det) < 1e-9, 1e-9, det)
        x = np.clip(x + (off_u * vy - off_v * uy) / det, -far, 2 * far)
        y = np.clip(y + (off_v * ux - off_u * vx) / det, -far, 2 * far)
    return x, y


def _millimetres(
    grid: InkArray, inside: npt.NDArray[np.bool_], unit_px: tuple[float, float]
) -> tuple[float, float] | None:
    """Pixels of a millimetre across and upwards, from what repeats in the flat picture."""
    cell = [_cell(grid, inside, axis=axis, unit_px=px) for axis, px in enumerate(unit_px)]
    width = grid.shape[1]
    options: list[tuple[float, tuple[float, float]]] = []
    for across, across_sure in cell[0]:
        for upwards, upwards_sure in cell[1]:
            ratio = across / upwards
            wrong = 0.0 if 1 / _SIDE_RATIO < ratio < _SIDE_RATIO else _DOUBTED
            usual = abs(np.log(width / across / _USUAL_WIDTH_MM))
            options.append((wrong - across_sure - upwards_sure + usual, (across, upwards)))
    best = min(options, default=None)
    return best[1] if best is not None and best[0] < _DOUBTED - 4.0 else None


def _cell(grid: InkArray, inside: npt.NDArray[np.bool_], *, axis: int, unit_px: float) -> list[tuple[float, float]]:
    """Possible millimetres in pixels, each with how much speaks for it."""
    weight = np.maximum(inside.sum(axis=axis), 1)
    profile = (np.minimum(grid, 3 * float(grid.mean())) * inside).sum(axis=axis) / weight
    profile = profile - cv2.blur(profile[None].astype(np.float32), (max(3, round(unit_px * 8)) | 1, 1))[0]
    profile = profile * np.hanning(len(profile))
    place = np.arange(len(profile))

    def strength(lines_per_unit: float) -> float:
        rates = lines_per_unit / unit_px + np.linspace(-0.5, 0.5, 5) / len(profile)
        if rates[2] >= 0.5:  # finer than pixels
            return 0.0
        return float(np.abs(np.exp(-2j * np.pi * rates[:, None] * place) @ profile).max())

    own = strength(1)
    base = next((many for many in (2, 3) if strength(1 / many) > _SAME_PATTERN * own), 1)
    fifths = float(np.mean([strength(part / base) for part in (0.2, 0.4, 0.6, 0.8)]))
    between = float(np.median([strength(part / base) for part in (0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75)]))
    base_px = unit_px * base
    if fifths > _STANDS_OUT * between:  # every fifth line is heavier
        return [(base_px, 2.0), (base_px * 5, -1.0), (base_px / 5, -1.0)]
    finer = [strength(many / base) for many in (4, 5, 6)]
    if finer[1] > _STANDS_OUT * max(finer[0], finer[2], _SAME_PATTERN / 10 * own):
        return [(base_px / 5, 2.0), (base_px, -1.0)]
    return [(base_px, 0.0), (base_px / 5, 0.0), (base_px * 2, -0.5), (base_px / 2, -0.5)]
