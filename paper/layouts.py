"""Arrangements of leads on a page: one table."""

from collections.abc import Iterator
from dataclasses import dataclass

from ecg.errors import EcgStreamError

STANDARD = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
CABRERA = ("aVL", "I", "-aVR", "II", "aVF", "III", "V1", "V2", "V3", "V4", "V5", "V6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """An arrangement of leads on a page.

    Attributes
    ----------
    name : as people write it: rows x columns + rhythm strips
    rows : of the part in columns
    columns : each as long as the others; they follow each other in time
    strips : rows below that last as long as all columns together
    """

    name: str
    rows: int
    columns: int
    strips: int = 0

    @property
    def all_rows(self) -> int:
        """The number of rows of traces."""
        return self.rows + self.strips

    def cells(self, order: tuple[str, ...], strips: tuple[str, ...]) -> Iterator[tuple[str, int, int, int]]:
        """Yield lead, row, column and number of columns of each trace.

        Parameters
        ----------
        order : lead names, down the columns
        strips : lead names of the rows below
        """
        for number, lead in enumerate(order[: self.rows * self.columns]):
            yield lead, number % self.rows, number // self.rows, 1
        for number, lead in enumerate(strips[: self.strips]):
            yield lead, self.rows + number, 0, self.columns


LAYOUTS: tuple[Layout, ...] = (
    Layout(name="3x4", rows=3, columns=4),
    Layout(name="3x4+1", rows=3, columns=4, strips=1),
    Layout(name="3x4+2", rows=3, columns=4, strips=2),
    Layout(name="3x4+3", rows=3, columns=4, strips=3),
    Layout(name="6x2", rows=6, columns=2),
    Layout(name="6x2+1", rows=6, columns=2, strips=1),
    Layout(name="12x1", rows=12, columns=1),
    Layout(name="6x1", rows=6, columns=1),
    Layout(name="3x1", rows=3, columns=1),
    Layout(name="2x1", rows=2, columns=1),
    Layout(name="1x1", rows=1, columns=1),
)


def layout_named(name: str) -> Layout:
    """Return a layout by its name.

    Raises
    ------
    EcgStreamError : when there is none of that name
    """
    for layout in LAYOUTS:
        if layout.name == name.lower():
            return layout
    raise EcgStreamError(f"there is no layout {name!r}: choose one of {', '.join(each.name for each in LAYOUTS)}")
