"""The arrangement of leads on a sheet: which row and which stretch of it is which lead."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from paper.calibration import Pulse
from paper.layouts import CABRERA, LAYOUTS, STANDARD, Layout
from paper.lettering import Word
from paper.rows import Row
from paper.sheet import PX_PER_MM

_LABEL_REACH_MM = 22.0  # of a name from its row's level
_SAME_OFFSET_MM = 5.0  # by which names may lie differently over their rows
_SAME_COLUMN_MM = 12.0
_EDGE_SEARCH_MM = 2.0
_NAMED_EDGE_MM = 4.0  # by which names may move a border from where equal columns would have it
_SURE_EDGE_MM = 2.0  # names do not tell a border more exactly than this
_CAP_LEFT = 0.5  # columns of a line's end that are left: half a column is as good as one
_EDGE_HALF_MM = 0.5
_CLEAR_STEP = 2.5  # times the usual step, at which a border between leads shows
_STRIPS = ("II", "V1", "V5")
_BY_ROWS = {1: "1x1", 2: "2x1", 3: "3x4", 4: "3x4+1", 5: "3x4+2", 6: "6x2", 7: "6x2+1", 12: "12x1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A lead's stretch of a row.

    Attributes
    ----------
    lead : its name
    row : number of the row, from the top
    begin_px, end_px : columns
    start_px : how many columns after the beginning of the recording it begins
    named : whether its name was read, or given
    """

    lead: str
    row: int
    begin_px: int
    end_px: int
    start_px: int
    named: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """The leads of a sheet.

    Attributes
    ----------
    layout : its name; "rows" for one lead on several rows
    cells : the leads
    """

    layout: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """A lead's name beside a row."""

    lead: str
    row: int
    left_px: float


def labels_of(writing: list[Word], rows: list[Row]) -> list[Label]:
    """Return the lead names that stand beside rows, at the offset from the row that most have.

    Parameters
    ----------
    writing : on the sheet
    rows : on the sheet
    """
    named = [(word, word.lead) for word in writing if word.lead]
    if not named or not rows:
        return []
    sure = [word for word, lead in named if lead not in {"I", "V"}] or [word for word, _ in named]
    offsets = np.array(
        [word.middle_px - float(row.level_px[_inside(word.left_px, row)]) for word in sure for row in rows]
    )
    offsets = offsets[np.abs(offsets) <= _LABEL_REACH_MM * PX_PER_MM]
    if not len(offsets):
        return []
    # Each name votes for its offset from every row near it; that from its own row is the same for all.
    near = np.abs(offsets[:, None] - offsets[None, :]) <= _SAME_OFFSET_MM / 2 * PX_PER_MM
    votes = near.sum(axis=1) - 0.02 * np.abs(offsets) / PX_PER_MM
    usual = float(np.median(offsets[near[int(np.argmax(votes))]]))
    labels = []
    for word, lead in named:
        local = np.array([float(row.level_px[_inside(word.left_px, row)]) for row in rows])
        away = np.abs(word.middle_px - usual - local)
        row = int(np.argmin(away))
        if lead and away[row] <= _SAME_OFFSET_MM * PX_PER_MM:
            labels.append(Label(lead=lead, row=row, left_px=word.left_px))
    return labels


def _inside(x: float, row: Row) -> int:
    return int(np.clip(x, 0, len(row.level_px) - 1))


def arrange(
    rows: list[Row],
    labels: list[Label],
    pulses: list[list[Pulse]],
    *,
    layout: Layout | None = None,
    leads: tuple[str, ...] | None = None,
    title: str | None = None,
) -> Arrangement:
    """Decide which stretch of which row is which lead.

    Parameters
    ----------
    rows, labels, pulses : on the sheet; the pulses of each row
    layout, leads : what a user gives
    title : the lead that a heading names
    """
    begins = _begins(rows, pulses)
    ends = [row.ends[1] - _cap(row) for row in rows]
    labels = [label for label in labels if label.left_px > begins[label.row] - _SAME_COLUMN_MM * PX_PER_MM]
    chosen = layout or (_layout(rows, labels, begins, ends) if labels or title is None else None)
    if chosen is None or chosen.all_rows != len(rows):
        return _one_by_one(rows, labels, begins, leads, title)
    begin, end = int(np.median(begins)), int(np.median(ends))
    edges = _edges(len(rows), pulses, labels, (begin, end), chosen.columns)
    order, strips = _order(chosen, labels, edges, leads)
    read = {(label.row, _column(label.left_px, edges)): label.lead for label in labels}
    cells = []
    for lead, row, column, span in chosen.cells(order, strips):
        first, _ = edges[column]
        _, last = edges[column + span - 1]
        own = begins[row] if column == 0 else first
        cells.append(
            Cell(
                lead=lead,
                row=row,
                begin_px=own,
                end_px=min(last, ends[row]) if column + span == chosen.columns else last,
                start_px=max(0, own - begin) if column == 0 else _start(edges, column),
                named=leads is not None or read.get((row, column)) == lead,
            )
        )
    return Arrangement(layout=chosen.name, cells=tuple(cells))


def _start(edges: list[tuple[int, int]], column: int) -> int:
    # Columns that stand apart, each with a pulse, still follow each other in time.
    return sum(last - first for first, last in edges[:column])


def _begins(rows: list[Row], pulses: list[list[Pulse]]) -> list[int]:
    """The column in which each row's trace begins: where a pulse was missed, as in the other rows."""
    own = [_begin(row, found) for row, found in zip(rows, pulses, strict=True)]
    after = [begin for row, begin in zip(rows, own, strict=True) if begin > row.ends[0]]
    if not after:
        return own
    usual = int(np.median(after))
    near = 1.5 * PX_PER_MM
    return [begin if begin > usual - near and abs(begin - usual) < 4 * near else usual for begin in own]


def _begin(row: Row, pulses: list[Pulse]) -> int:
    """The column in which a row's trace begins, after its pulse."""
    first, last = row.ends
    leading = [pulse for pulse in pulses if pulse.begin_px < first + 0.2 * (last - first)]
    if not leading:
        return first + _cap(row)
    after = leading[-1].end_px
    reach = row.y_px[after : after + round(6 * PX_PER_MM)]
    gap = np.nonzero(~np.isfinite(reach))[0]
    if len(gap):
        going = np.nonzero(np.isfinite(row.y_px[after + gap[-1] :]))[0]
        return int(after + gap[-1] + (going[0] if len(going) else 0)) + _cap(row)
    return after + 2


def _cap(row: Row) -> int:
    """Columns by which a round pen draws beyond the end of a line."""
    return max(0, int(row.pen_px / 2 - _CAP_LEFT))


def _layout(rows: list[Row], labels: list[Label], begins: list[int], ends: list[int]) -> Layout | None:
    """Return the layout that fits the rows and the names; None where the rows are no table of leads."""
    fitting = [layout for layout in LAYOUTS if layout.all_rows == len(rows)]
    if not fitting:
        return None
    begin, end = int(np.median(begins)), int(np.median(ends))
    scores: list[tuple[float, int, Layout]] = []
    for layout in fitting:
        wide = (end - begin) / layout.columns
        score = 0.0
        for label in labels:
            column = (label.left_px - begin) / wide
            off_mm = abs(column - round(column)) * wide / PX_PER_MM
            score += 1.0 if off_mm <= _SAME_COLUMN_MM and 0 <= round(column) < layout.columns else -0.5
            for order in (STANDARD, CABRERA):
                number = round(column) * layout.rows + label.row
                if label.row < layout.rows and number < len(order) and order[number] == label.lead:
                    score += 1.0
                    break
        names = {label.lead for label in labels}
        if layout.columns == 1 and len(labels) > 1.5 * len(rows):
            score -= 2.0 * len(labels)
        if layout.columns > 1:
            score += 2.0 * _steps(rows, begin, end, layout) - 1.0
            if labels and len(names) <= len(rows) and len(labels) <= len(rows) and _left_only(labels, begin, end):
                score -= len(labels)
        usual = 1.0 if layout.name == _BY_ROWS.get(len(rows)) and (labels or len(rows) not in {3, 6}) else 0.0
        scores.append((score + usual, -len(scores), layout))
    best = max(scores)[2]
    if best.columns == 1 and best.rows > 1 and not labels:
        return None
    return best


def _left_only(labels: list[Label], begin: int, end: int) -> bool:
    return all(label.left_px < begin + 0.2 * (end - begin) for label in labels)


def _steps(rows: list[Row], begin: int, end: int, layout: Layout) -> float:
    """Share of a layout's inner borders at which the rows of the part in columns step or part."""
    clear = 0
    for number in range(1, layout.columns):
        middle = begin + round(number * (end - begin) / layout.columns)
        steps = _step_sizes(rows[: layout.rows], middle)
        away = _step_sizes(rows[: layout.rows], middle - round(0.4 * (end - begin) / layout.columns))
        clear += bool(steps.max() > _CLEAR_STEP * max(float(np.median(away)), 0.15 * PX_PER_MM))
    return clear / max(1, layout.columns - 1)


def _step_sizes(rows: list[Row], middle: int) -> np.ndarray:
    """Return how much the rows step together, in pixels, around a column."""
    reach, half = round(_EDGE_SEARCH_MM * PX_PER_MM), round(_EDGE_HALF_MM * PX_PER_MM)
    sizes = []
    for row in rows:
        part = row.y_px[max(0, middle - reach - half) : middle + reach + half]
        if len(part) < 2 * (reach + half):
            continue
        filled = np.where(np.isfinite(part), part, np.nanmedian(part) if np.isfinite(part).any() else 0.0)
        sizes.append(np.minimum(np.abs(filled[2 * half :] - filled[: -2 * half]), 2.0 * PX_PER_MM))
    if not sizes:
        return np.zeros(2 * reach)
    n = min(len(each) for each in sizes)
    result: np.ndarray = np.median(np.stack([each[:n] for each in sizes]), axis=0)
    return result


def _edges(
    n_rows: int, pulses: list[list[Pulse]], labels: list[Label], ends: tuple[int, int], columns: int
) -> list[tuple[int, int]]:
    """Begin and end of each column of leads, in pixels: by pulses or names at the borders, else all alike."""
    begin, end = ends
    wide = (end - begin) / columns
    lefts: list[list[float]] = [[] for _ in range(columns)]
    for label in labels:
        number = int(np.clip(round((label.left_px - begin) / wide), 0, columns - 1))
        lefts[number].append(label.left_px)
    borders = [(begin, begin)]
    for number in range(1, columns):
        middle = begin + round(number * wide)
        inner = [pulse for each in pulses for pulse in each if abs(pulse.begin_px - middle) < 0.12 * (end - begin)]
        if len(inner) >= n_rows / 2:  # a pulse stands before each column
            stop = int(np.median([pulse.begin_px for pulse in inner])) - round(1.5 * PX_PER_MM)
            borders.append((stop, int(np.median([pulse.end_px for pulse in inner])) + 2))
            continue
        if lefts[0] and lefts[number]:
            named = begin + round(float(np.median(lefts[number])) - float(np.median(lefts[0])))
            if _SURE_EDGE_MM * PX_PER_MM < abs(named - middle) <= _NAMED_EDGE_MM * PX_PER_MM:
                middle = named
        borders.append((middle, middle))
    borders.append((end, end))
    return [(borders[n][1], borders[n + 1][0]) for n in range(columns)]


def _column(left_px: float, edges: list[tuple[int, int]]) -> int:
    begins = np.array([first for first, _ in edges])
    return int(np.argmin(np.abs(begins - left_px)))


def _order(
    layout: Layout, labels: list[Label], edges: list[tuple[int, int]], leads: tuple[str, ...] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Lead names of the columns and of the strips."""
    size = layout.rows * layout.columns
    if leads is not None:
        return leads[:size], (*leads[size:], *_STRIPS)
    read: dict[tuple[int, int], str] = {}
    for label in labels:
        read.setdefault((label.row, _column(label.left_px, edges)), label.lead)
    votes: Counter[int] = Counter()
    for number, order in enumerate((STANDARD, CABRERA)):
        for (row, column), lead in read.items():
            if row < layout.rows and column * layout.rows + row < len(order):
                votes[number] += order[column * layout.rows + row] == lead
    order = CABRERA if votes[1] > votes[0] + 1 else STANDARD
    own = tuple(order[:size])
    if size < len(STANDARD):  # few rows: what is written counts, whatever the order
        own = tuple(read.get((number, 0), f"lead {number + 1}") for number in range(size))
        if layout.rows == 6 and sum(lead in STANDARD[:6] for lead in own) >= 2:
            own = tuple(name if not name.startswith("lead ") else STANDARD[n] for n, name in enumerate(own))
        if layout.rows == 6 and sum(lead in STANDARD[6:] for lead in own) >= 2:
            own = tuple(name if not name.startswith("lead ") else STANDARD[6 + n] for n, name in enumerate(own))
    strips = tuple(
        read.get((layout.rows + number, 0), _STRIPS[number if layout.strips != 1 else 0])
        for number in range(layout.strips)
    )
    return own, strips


def _one_by_one(
    rows: list[Row], labels: list[Label], begins: list[int], leads: tuple[str, ...] | None, title: str | None
) -> Arrangement:
    """Rows that are no table: each its own lead where names say so, else one lead that goes on from row to row."""
    names = {label.row: label.lead for label in labels}
    if leads is not None and len(leads) == len(rows):
        names = dict(enumerate(leads))
    going_on = len(set(names.values())) <= 1 and len(names) < max(2, len(rows))
    lead = (leads or (title or next(iter(names.values()), "lead 1"),))[0]
    cells, start = [], 0
    for number, row in enumerate(rows):
        end = row.ends[1] - _cap(row)
        own = lead if going_on else names.get(number, f"lead {number + 1}")
        cells.append(
            Cell(
                lead=own,
                row=number,
                begin_px=begins[number],
                end_px=end,
                start_px=start if going_on else 0,
                named=number in names or (going_on and (title is not None or leads is not None)),
            )
        )
        start += end - begins[number]
    return Arrangement(layout="rows", cells=tuple(cells))
