"""Pages aged as real ones are: photographed, crumpled, stained, copied, sent by fax."""

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

ByteArray = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float64]
Rng = np.random.Generator


def on_a_table(image: ByteArray, rng: Rng) -> ByteArray:
    """Photograph a page that lies on a darker table, from aslant."""
    height, width = image.shape[:2]
    margin = 0.06 * width
    lean = 0.035 * width
    frame = np.array(
        [[margin, margin], [width + margin, margin], [width + margin, height + margin], [margin, height + margin]]
    )
    seen = frame + rng.uniform(-lean, lean, frame.shape)
    size = (round(width + 2 * margin), round(height + 2 * margin))
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(flat, seen.astype(np.float32))
    table = rng.integers(20, 90, 3)
    return np.asarray(
        cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_CUBIC, borderValue=tuple(int(each) for each in table))
    )


def turned(image: ByteArray, rng: Rng) -> ByteArray:
    """Put a page askew on the scanner, by up to three degrees."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-3, 3)), 1.0)
    return np.asarray(
        cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    )


def unevenly_lit(image: ByteArray, rng: Rng) -> ByteArray:
    """Let light fall from one side, and a shadow over a part."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    light = 0.8 + 0.2 * (np.cos(angle) * x / width + np.sin(angle) * y / height)
    place = rng.uniform(0.2, 0.8) * width
    light *= 1 - 0.3 / (1 + np.exp(-(x - place + 0.4 * y) / (0.03 * width)))
    return np.asarray(np.clip(image * light[:, :, None], 0, 255), np.uint8)


def blurred(image: ByteArray, rng: Rng) -> ByteArray:
    """Miss the focus, or hold the camera unsteadily."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.6, 1.5))))


def noisy(image: ByteArray, rng: Rng) -> ByteArray:
    """Photograph in little light."""
    return np.asarray(np.clip(image + rng.normal(0, rng.uniform(3, 9), image.shape), 0, 255), np.uint8)


def creased(image: ByteArray, rng: Rng) -> ByteArray:
    """Fold and unfold the page: stripes of light and shade, and places moved a little."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    light, moved = np.ones((height, width), np.float32), np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(2, 5))):
        angle, place = rng.uniform(0, np.pi), rng.uniform(0.15, 0.85)
        across = (np.cos(angle) * (x - place * width) + np.sin(angle) * (y - place * height)) / (0.012 * width)
        light += 0.12 * np.exp(-(across**2)) * np.sign(across)
        moved += rng.uniform(-0.0015, 0.0015) * width * np.exp(-(across**2) / 40)
    warped = cv2.remap(image, x, y + moved, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(warped * light[:, :, None], 0, 255), np.uint8)


def stained(image: ByteArray, rng: Rng) -> ByteArray:
    """Put a cup on it."""
    height, width = image.shape[:2]
    stain = np.zeros((height, width), np.float32)
    centre = (int(rng.uniform(0.1, 0.9) * width), int(rng.uniform(0.1, 0.9) * height))
    cv2.circle(stain, centre, int(0.09 * width), 1.0, int(0.012 * width))
    stain = np.asarray(cv2.GaussianBlur(stain, (0, 0), 0.004 * width))
    colour = np.array([120, 170, 205], np.float32)
    share = 0.45 * stain[:, :, None]
    return np.asarray(np.clip(image * (1 - share + share * colour / 255), 0, 255), np.uint8)


def written_on(image: ByteArray, rng: Rng) -> ByteArray:
    """Write on it with a pen, over the traces, too."""
    height, width = image.shape[:2]
    drawn = image.copy()
    for _ in range(int(rng.integers(1, 4))):
        start = np.array([rng.uniform(0.1, 0.8) * width, rng.uniform(0.1, 0.9) * height])
        steps = np.cumsum(rng.normal((0.006 * width, 0.0), 0.008 * width, (18, 2)), axis=0)
        cv2.polylines(drawn, [np.rint(start + steps).astype(np.int32)], False, (140, 60, 20), 2, cv2.LINE_AA)
    return drawn


def compressed(image: ByteArray, rng: Rng) -> ByteArray:
    """Send it as a JPEG of quality 30."""
    del rng
    _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)


def faxed(image: ByteArray, rng: Rng) -> ByteArray:
    """Copy it in black and white."""
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.float32)
    black = (grey + rng.normal(0, 6, grey.shape)) < 135
    return np.repeat(np.where(black, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def from_a_screen(image: ByteArray, rng: Rng) -> ByteArray:
    """Photograph a screen that shows it: a faint pattern of lines over all."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    wave = 1 + 0.06 * np.sin(2 * np.pi * (x * rng.uniform(0.11, 0.17) + y * rng.uniform(0.02, 0.06)))
    return np.asarray(np.clip(image * wave[:, :, None], 0, 255), np.uint8)


def upside_down(image: ByteArray, rng: Rng) -> ByteArray:
    """Put it in the wrong way round."""
    del rng
    return np.ascontiguousarray(image[::-1, ::-1])


WAYS: dict[str, tuple[Callable[[ByteArray, Rng], ByteArray], ...]] = {
    "photo": (unevenly_lit, on_a_table, blurred, noisy, compressed),
    "crumpled": (creased, unevenly_lit, turned, blurred, compressed),
    "stained": (stained, written_on, turned, compressed),
    "fax": (turned, faxed),
    "screen": (from_a_screen, on_a_table, blurred, compressed),
    "upside down": (upside_down, turned, compressed),
}


def age(image: ByteArray, way: str, rng: np.random.Generator) -> ByteArray:
    """Age a page in one of the ways in ``WAYS``.

    Parameters
    ----------
    image : (height, width, 3) uint8, blue, green, red
    way : its name
    rng : draws how much of each
    """
    for step in WAYS[way]:
        image = step(image, rng)
    return image
