"""Pictures of any kind that people send, brought to one form, within limits."""

import io
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from ecg.errors import EcgStreamError

ByteArray = npt.NDArray[np.uint8]

MOST_MEGAPIXELS = 60.0  # of a picture: an A4 page at 600 dpi has 35
MOST_MB = 50.0  # of a file
MOST_PAGES = 20  # of a PDF, or frames of a picture
_PDF_DPI = 200.0  # at which a page is drawn: 8 pixels a millimetre
_MOST_PDF_PX = 4000
_HEIF = frozenset({b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis"})


class PictureError(EcgStreamError):
    """A file that is no picture that can be read here."""


def open_picture(path: Path) -> list[ByteArray]:
    """Return the pages of a picture or PDF.

    Parameters
    ----------
    path : of the file

    Returns
    -------
    list of (height, width, 3) uint8, blue, green, red, upright as the camera says

    Raises
    ------
    PictureError : when it is missing, too large, protected, damaged, moving, or of no known kind
    """
    if not path.is_file():
        raise PictureError(f"there is no file {path}: give a picture or a PDF of a paper ECG")
    size_mb = path.stat().st_size / 1e6
    if size_mb > MOST_MB:
        raise PictureError(f"{path.name} has {size_mb:.0f} MB, more than {MOST_MB:.0f}: make the picture smaller")
    content = path.read_bytes()
    if content[:1024].lstrip().startswith(b"%PDF"):
        return _pdf_pages(content, path.name)
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF:
        _register_heif()
    return [_image(content, path.name)]


def _register_heif() -> None:
    from pillow_heif import register_heif_opener  # noqa: PLC0415 # it loads a decoder that few pictures need

    register_heif_opener()


def _image(content: bytes, name: str) -> ByteArray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is lower
            with Image.open(io.BytesIO(content)) as opened:
                _check(opened, name)
                return _plain(opened)
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{name} is no picture that is read here: give PNG, JPEG, TIFF, BMP, WebP, HEIC or PDF"
        ) from error
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{name} has more than {MOST_MEGAPIXELS:.0f} megapixels: make it smaller, 3000 pixels a side are plenty"
        ) from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise PictureError(f"{name} cannot be read ({error}): it is damaged; save or send it again") from error


def _check(opened: Image.Image, name: str) -> None:
    megapixels = opened.width * opened.height / 1e6
    if megapixels > MOST_MEGAPIXELS:
        raise PictureError(
            f"{name} has {megapixels:.0f} megapixels, more than {MOST_MEGAPIXELS:.0f}: make it smaller, 3000 pixels a "
            "side are plenty"
        )
    frames = getattr(opened, "n_frames", 1)
    if frames > 1 and opened.format in {"GIF", "WEBP", "PNG"}:
        raise PictureError(f"{name} is a moving picture of {frames} frames: give the one that shows the ECG")


def _plain(opened: Image.Image) -> ByteArray:
    """Blue, green and red of a picture of any mode, on white paper, turned as its EXIF data say."""
    image: Image.Image = ImageOps.exif_transpose(opened)
    if image.mode in {"I", "I;16", "I;16B", "I;16L", "F"}:  # more than 8 bits of grey
        values = np.asarray(image, np.float64)
        low, high = float(values.min()), float(values.max())
        grey = (values - low) * (255.0 / max(high - low, 1e-9))
        return np.repeat(np.rint(grey).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.mode in {"RGBA", "LA", "PA", "La", "RGBa"} or "transparency" in image.info:
        clear = image.convert("RGBA")
        paper = Image.new("RGBA", clear.size, (255, 255, 255, 255))
        image = Image.alpha_composite(paper, clear)
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])


def _pdf_pages(content: bytes, name: str) -> list[ByteArray]:
    import pypdfium2  # noqa: PLC0415 # it loads a library that pictures do without

    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise PictureError(f"{name} is protected by a password: save it without one") from error
        raise PictureError(f"{name} cannot be read ({error}): it is damaged; save or send it again") from error
    try:
        if len(document) > MOST_PAGES:
            raise PictureError(f"{name} has {len(document)} pages, more than {MOST_PAGES}: send those with the ECG")
        pages = []
        for page in document:
            longest_inch = max(page.get_size()) / 72
            dpi = min(_PDF_DPI, _MOST_PDF_PX / max(longest_inch, 1e-6))
            drawn = page.render(scale=dpi / 72, draw_annots=True)
            pages.append(np.ascontiguousarray(drawn.to_numpy()[:, :, :3]))
        return pages
    finally:
        document.close()
