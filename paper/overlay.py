"""A picture of what was read where."""

import cv2
import numpy as np
import numpy.typing as npt

from paper.reading import PageReading

ByteArray = npt.NDArray[np.uint8]

COLOURS = ((40, 40, 230), (220, 90, 20), (30, 150, 30), (190, 30, 190), (20, 130, 240), (150, 150, 20))
_SHIFT = 4
_MOST_PX = 2400


def draw_overlay(image: ByteArray, reading: PageReading) -> ByteArray:
    """Draw the lines that were read, and the leads' names, over the picture.

    Parameters
    ----------
    image : (height, width, 3) uint8, blue, green, red: the picture that was read
    reading : of it

    Returns
    -------
    (height, width, 3) uint8, turned upright and at most 2400 pixels long
    """
    shrink = min(1.0, _MOST_PX / max(image.shape[:2]))
    if shrink < 1.0:
        image = np.asarray(cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
    drawn = np.ascontiguousarray(np.rot90(image, reading.turned))
    drawn = np.asarray(cv2.addWeighted(drawn, 0.55, np.full_like(drawn, 255), 0.45, 0), np.uint8)
    places = reading.sheet.to_picture
    for number, lead in enumerate(reading.leads):
        colour = COLOURS[number % len(COLOURS)]
        row = reading.rows[lead.cell.row]
        columns = np.arange(lead.cell.begin_px, lead.cell.end_px)
        y = row.y_px[columns]
        seen = np.isfinite(y)
        line = np.clip(np.rint(np.nan_to_num(y)).astype(int), 0, places.shape[0] - 1)
        at = places[line, columns]
        pieces = np.split(np.arange(len(columns)), np.nonzero(~seen)[0])
        for piece in pieces:
            own = piece[seen[piece]]
            if len(own) > 1:
                points = np.rint(at[own] * 2**_SHIFT).astype(np.int32)
                cv2.polylines(
                    drawn, [points], isClosed=False, color=colour, thickness=2, lineType=cv2.LINE_AA, shift=_SHIFT
                )
        if len(columns):
            x, top = at[0]
            cv2.putText(
                drawn,
                lead.cell.lead,
                (int(x) + 4, int(top) - 14),
                cv2.FONT_HERSHEY_SIMPLEX,
                0.7,
                colour,
                2,
                cv2.LINE_AA,
            )
    return np.asarray(drawn)
