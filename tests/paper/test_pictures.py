"""Pictures of every kind that people send: the right reading, or a clear error."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paper.pictures import PictureError, open_picture

RED = (200, 30, 40)


def saved(folder: Path, image: Image.Image, name: str, **options: object) -> Path:
    path = folder / name
    image.save(path, **options)  # type: ignore[arg-type]  # options of many formats
    return path


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.png", "RGB"),
        ("a.png", "P"),
        ("a.png", "LA"),
        ("a.png", "1"),
        ("a.jpg", "CMYK"),
        ("a.jpg", "L"),
        ("a.tif", "RGB"),
        ("a.webp", "RGB"),
        ("a.bmp", "RGB"),
    ],
)
def test_every_mode_is_read_as_colours(tmp_path: Path, name: str, mode: str) -> None:
    image = Image.new("RGB", (40, 30), RED).convert(mode)
    (read,) = open_picture(saved(tmp_path, image, name))
    assert read.shape == (30, 40, 3)
    assert read.dtype == np.uint8


def test_colours_are_blue_green_red(tmp_path: Path) -> None:
    (read,) = open_picture(saved(tmp_path, Image.new("RGB", (4, 4), RED), "a.png"))
    assert tuple(read[0, 0]) == RED[::-1]


def test_what_is_transparent_lies_on_white_paper(tmp_path: Path) -> None:
    (read,) = open_picture(saved(tmp_path, Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "a.png"))
    assert (read == 255).all()


def test_sixteen_bits_keep_their_contrast(tmp_path: Path) -> None:
    values = np.linspace(1000, 60000, 16).astype(np.uint16).reshape(4, 4)
    (read,) = open_picture(saved(tmp_path, Image.fromarray(values), "a.png"))
    assert (int(read.min()), int(read.max())) == (0, 255)


def test_the_camera_says_which_way_is_up(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (read,) = open_picture(saved(tmp_path, Image.new("RGB", (40, 30)), "a.jpg", exif=exif))
    assert read.shape == (40, 30, 3)


def test_pictures_of_phones_are_read(tmp_path: Path) -> None:
    from pillow_heif import from_pillow

    path = tmp_path / "a.heic"
    from_pillow(Image.new("RGB", (64, 48), RED)).save(path)
    (read,) = open_picture(path)
    assert read.shape == (48, 64, 3)


def test_a_pdf_has_pages(tmp_path: Path) -> None:
    page = Image.new("RGB", (400, 300), RED)
    pages = open_picture(saved(tmp_path, page, "a.pdf", save_all=True, append_images=[page]))
    assert len(pages) == 2


def test_a_pdf_of_many_pages_is_refused(tmp_path: Path) -> None:
    page = Image.new("1", (8, 8))
    path = saved(tmp_path, page, "a.pdf", save_all=True, append_images=[page] * 199)
    with pytest.raises(PictureError, match="200 pages, more than 20: send those with the ECG"):
        open_picture(path)


def test_a_moving_picture_is_refused(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (colour, 0, 0)) for colour in (0, 100, 200)]
    path = saved(tmp_path, frames[0], "a.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(PictureError, match="moving picture of 3 frames"):
        open_picture(path)


@pytest.mark.parametrize("side", [12_000, 60_000])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, side: int) -> None:
    path = tmp_path / "a.png"
    packed = io.BytesIO()
    Image.new("1", (8, 8)).save(packed, "PNG")
    head = bytearray(packed.getvalue())
    head[16:24] = side.to_bytes(4, "big") * 2  # what the header says; nothing so large was ever made
    import zlib

    head[29:33] = zlib.crc32(bytes(head[12:29])).to_bytes(4, "big")
    path.write_bytes(bytes(head))
    with pytest.raises(PictureError, match="megapixels"):
        open_picture(path)


@pytest.mark.parametrize(
    ("content", "writing"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "no picture that is read|damaged"),
        (b"%PDF-1.7 and nothing", "damaged"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no picture that is read here: give PNG"),
        (b"", "no picture that is read here"),
    ],
)
def test_what_is_damaged_says_so(tmp_path: Path, content: bytes, writing: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=writing):
        open_picture(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="there is no file"):
        open_picture(tmp_path / "a.png")
