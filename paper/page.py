"""The page in a photo: paper that lies on something darker."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
InkArray = npt.NDArray[np.float32]

_SMALL_PX = 480  # the page is looked for in a picture of this width
_AREA = (0.2, 0.9)  # of the picture, that a page may fill
_FILLED = 0.9  # of its four corners' area, that is bright
_STEP = 28.0  # levels by which the page is brighter than what lies around it
_UNLIKE = 26  # levels of one colour by which paper differs from what it lies on
_RIM_PX = 4  # of the small picture, that shows what the page lies on
_DARKER = 0.5  # of paper's brightness: no shadow is so dark
_AROUND = 0.6  # of the ink on a page, that may stand around it
_RIM_WIDE = 25  # pixels around a page's edge
_MARGIN = 0.004  # of the page's sides, cut off: its edge is dark


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page in a picture.

    Attributes
    ----------
    corners_px : (4, 2) float64, upper left, upper right, lower right, lower left
    size_px : width and height that it gets
    """

    corners_px: FloatArray
    size_px: tuple[int, int]

    def cut_out(self, image: ByteArray) -> ByteArray:
        """Return the page as if seen from straight above."""
        return np.asarray(cv2.warpPerspective(image, self._matrix(), self.size_px, flags=cv2.INTER_CUBIC))

    def holds(self, image: ByteArray, ink: InkArray) -> bool:
        """Return whether what lies around the page is no paper: far darker, or with less printed on it.

        Where a shadow ends on the paper it is only a little darker, and the grid goes on.

        Parameters
        ----------
        image : (height, width, 3) uint8, the whole picture
        ink : (height, width) float32 in it, a grid's lines among it
        """
        around = np.ones(ink.shape, np.uint8)
        cv2.fillConvexPoly(around, np.rint(self.corners_px).astype(np.int32), 0)
        inside = around == 0
        # Not the page's rim, which is darker than both.
        away = cv2.erode(around, np.ones((_RIM_WIDE, _RIM_WIDE), np.uint8)) == 1
        if not away.any() or not inside.any():
            return True
        bright = image.max(axis=2)
        if float(np.median(bright[away])) < _DARKER * float(np.median(bright[inside])):
            return True
        return float(ink[away].mean()) < _AROUND * float(ink[inside].mean())

    def in_picture(self, places: InkArray) -> InkArray:
        """Return where places of the page lie in the picture.

        Parameters
        ----------
        places : (height, width, 2) float32
        """
        back = np.linalg.inv(self._matrix())
        return np.asarray(cv2.perspectiveTransform(places, back), np.float32)

    def _matrix(self) -> FloatArray:
        width, height = self.size_px
        flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        return np.asarray(cv2.getPerspectiveTransform(self.corners_px.astype(np.float32), flat), np.float64)


def page_in(image: ByteArray) -> Page | None:
    """Return the page in a picture; None where paper fills it, or no page is to be described from what lies around.

    Parameters
    ----------
    image : (height, width, 3) uint8, blue, green, red
    """
    scale = _SMALL_PX / image.shape[1]
    small = cv2.medianBlur(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), 9)
    bright = small.max(axis=2)
    edge = np.concatenate([small[:_RIM_PX].reshape(-1, 3), small[-_RIM_PX:].reshape(-1, 3)])
    edge = np.concatenate([edge, small[:, :_RIM_PX].reshape(-1, 3), small[:, -_RIM_PX:].reshape(-1, 3)])
    unlike = np.abs(small.astype(np.int16) - np.median(edge, axis=0).astype(np.int16)).max(axis=2).astype(np.uint8)
    for mask in (
        np.where(unlike > _UNLIKE, 255, 0).astype(np.uint8),
        np.asarray(cv2.threshold(bright, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[1], np.uint8),
    ):
        corners = _corners(mask, bright)
        if corners is not None:
            break
    else:
        return None
    middle = corners.mean(axis=0)
    corners = (middle + (corners - middle) * (1 - 2 * _MARGIN)) / scale
    sides = np.linalg.norm(corners - np.roll(corners, -1, axis=0), axis=1)
    size = (round(max(sides[0], sides[2])), round(max(sides[1], sides[3])))
    return Page(corners_px=corners, size_px=size) if min(size) >= 100 else None


def _corners(seen: ByteArray, bright: ByteArray) -> FloatArray | None:
    """The corners of the largest region of a mask, where it is bright and has four sides; None where it is not."""
    mask = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return None
    outline = max(contours, key=cv2.contourArea)
    area = cv2.contourArea(outline)
    if not _AREA[0] <= area / mask.size <= _AREA[1]:
        return None
    corners = _four_corners(np.asarray(cv2.convexHull(outline), np.int32))
    if corners is None or area < _FILLED * cv2.contourArea(corners.astype(np.float32)):
        return None
    around = np.ones(mask.shape, np.uint8)
    cv2.fillConvexPoly(around, np.rint(corners).astype(np.int32), 0)
    if around.sum() < 50:
        return None
    if float(np.median(bright[around == 0])) - float(np.median(bright[around == 1])) < _STEP:
        return None
    return _ordered(corners)


def _four_corners(hull: npt.NDArray[np.int32]) -> FloatArray | None:
    length = cv2.arcLength(hull, closed=True)
    for share in np.linspace(0.01, 0.08, 15):
        corners = cv2.approxPolyDP(hull, share * length, closed=True)
        if len(corners) == 4:
            return np.asarray(corners[:, 0], np.float64)
        if len(corners) < 4:
            return None
    return None


def _ordered(corners: FloatArray) -> FloatArray:
    total, apart = corners.sum(axis=1), corners[:, 0] - corners[:, 1]
    order = [int(np.argmin(total)), int(np.argmax(apart)), int(np.argmax(total)), int(np.argmin(apart))]
    return corners[order]
