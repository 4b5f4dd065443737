"""Every hostile file that was ever thought of: what is sent, and what is said of it. Small on the disk, all of them."""

import io
import stat
import struct
import zipfile
from collections.abc import Callable

import numpy as np

from tests.web.scoring.recordings import edf, npy, wfdb_files, zipped

Files = dict[str, bytes]
HEADER = b"%s 1 360 4000\n%s 16 200 16 0 0 0 0 II\n"
GIGABYTE = 10**9


def header(line: bytes, record: bytes = b"x 1 360 4000") -> Files:
    return {"x.hea": record + b"\n" + line + b"\n", "x.dat": b"\0\0" * 4000}


def link() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("passwd.csv")
        entry.create_system = 3
        entry.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    return buffer.getvalue()


def bomb(size: int) -> bytes:
    """A table of zeros, a thousandth of its size when packed."""
    return zipped({"zeros.csv": b"0\n" * (size // 2)})


def lying_bomb() -> bytes:
    """The same, with a list of members that claims it to be small."""
    packed = bytearray(bomb(8_000_000))
    entry = packed.rindex(b"PK\x01\x02")
    struct.pack_into("<L", packed, entry + 24, 1000)
    return bytes(packed)


def many_members(count: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.csv", "")
    return buffer.getvalue()


def members_uncounted() -> bytes:
    """Its end claims one member, its list holds thousands."""
    packed = bytearray(many_members(12_000))
    end = packed.rindex(b"PK\x05\x06")
    struct.pack_into("<HH", packed, end + 8, 1, 1)
    return bytes(packed)


def encrypted() -> bytes:
    packed = bytearray(zipped({"a.csv": b"1,2\n"}))
    packed[6] |= 1
    entry = packed.rindex(b"PK\x01\x02")
    packed[entry + 8] |= 1
    return bytes(packed)


def claiming_npy(shape: str, dtype: str = "<f8") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (63 - (len(text) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode() + b"\0" * 64


def edited_edf(at: int, text: str, width: int = 8) -> bytes:
    raw = bytearray(edf(10))
    raw[at : at + width] = text.ljust(width).encode()
    return bytes(raw)


class Exploding:
    """Runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return open, ("exploded", "w")  # type: ignore[return-value] # what a pickle calls


# name, files, what is said of the one that is hostile
HOSTILE: list[tuple[str, Files, str]] = [
    ("empty", {"x.csv": b""}, "is empty"),
    ("an image under another name", {"x.csv": b"\x89PNG\r\n\x1a\n" + b"\0" * 100}, "is no picture that is read"),
    ("an image", {"x.png": b"\x89PNG\r\n\x1a\n" + b"\0" * 100}, "is no picture that is read here: give PNG"),
    ("a program", {"x.edf": b"\x7fELF" + b"\0" * 100}, "holds a program"),
    ("a pickle", {"x.npy": b"\x80\x04K\x01."}, "holds a pickle"),
    ("a workbook", {"x.csv": zipped({"[Content_Types].xml": b"x"})}, "holds a zip archive"),
    ("an unknown kind", {"x.xyz": b"hello"}, "files of kind .xyz are not read"),
    ("text that is no MATLAB file", {"x.mat": b"hello"}, "should hold a MATLAB file"),
    ("no kind", {"x": b"hello"}, "no suffix are not read"),
    ("text in UTF-16", {"x.csv": "a,b\n1,2\n".encode("utf-16")}, "x.csv"),
    ("text that is none", {"x.csv": b"a,b\n" + b"\xc3\x28" * 9}, "no row of numbers"),
    ("samples without their header", {"x.dat": b"\0" * 100}, "give x.hea with it"),
    ("a header without its samples", {"x.hea": HEADER % (b"x", b"x.dat")}, "names x.dat, which is not"),
    # CSV
    ("a formula", {"x.csv": b"II,V5\n=cmd|' /C calc'!A0,1\n" * 2}, "is no number"),
    ("a cell without an end", {"x.csv": b"II,V5\n" + b"9," * 20_000 + b"x"}, "x.csv"),
    ("a quoted megabyte", {"x.csv": b'II,V5\n"' + b"a" * 1_000_000 + b'",1\n'}, "is no table"),
    ("a lead with a name of a megabyte", {"x.csv": b"I" * 100_000 + b",V5\n" + b"0,0.1\n0.1,0\n" * 900}, "lead name"),
    ("terminal codes in a lead's name", {"x.csv": b"I\x1b[2J,V5\n" + b"0,0.1\n0.1,0\n" * 900}, "lead name"),
    (
        "a decade between two rows",
        {"x.csv": b"time,II\n" + b"\n".join(b"%.4f,0.1" % (n / 360 + n // 9 * 3500) for n in range(50_000))},
        "rows a second, the rate is given as",
    ),
    ("digits without end", {"x.csv": b"time,II\n" + b"9" * 100_000 + b":00:00,1\n" * 2}, "shorter than one window"),
    # NumPy
    ("an array that is a pickle", {"x.npy": npy(np.array([Exploding()], object))}, "holds objects"),
    ("an array that claims a gigabyte", {"x.npy": claiming_npy(f"({GIGABYTE},)")}, "takes 8000000000 bytes"),
    ("an array that overflows", {"x.npy": claiming_npy("(4611686018427387904, 4)")}, "it holds 64"),
    ("an array of less than nothing", {"x.npy": claiming_npy("(-8, 1)")}, "no plain numpy array"),
    ("an array of code", {"x.npy": claiming_npy("__import__('os').system('true')")}, "no plain numpy array"),
    ("an array of names", {"x.npy": npy(np.array(["a", "b"]))}, "not numbers"),
    ("an array of complex numbers", {"x.npy": npy(np.zeros(4000, complex))}, "not numbers"),
    ("several arrays", {"x.npy": zipped({"a.npy": npy(np.zeros(9))})}, "holds a zip archive"),
    ("windows of a second", {"x.npy": npy(np.zeros((3, 360, 2)))}, "below 5 s"),
    ("windows without end", {"x.npy": npy(np.zeros((5001, 1800, 1), np.int8))}, "above 5000"),
    # WFDB
    ("a header that names a folder", header(b"../x.dat 16 200 16 0 0 0 0 II"), "beside its header"),
    ("a header that names a place", header(b"/etc/passwd 16 200 16 0 0 0 0 II"), "beside its header"),
    ("a header that names itself", header(b"x.hea 16 200 16 0 0 0 0 II", b"x 1 360 20"), "beside its header"),
    ("a header that names its folder", header(b". 16 200 16 0 0 0 0 II"), "beside its header"),
    ("a header that claims an age", header(b"x.dat 16 200 16 0 0 0 0 II", b"x 1 360 99999999999999"), "holds 4000"),
    (
        "a header that claims a crowd",
        header(b"x.dat 16 200 16 0 0 0 0 II", b"x 1000000000 360 4000"),
        "1000000000 signals",
    ),
    ("a header with a leap", header(b"x.dat 16:999999999 200 16 0 0 0 0 II"), "skew"),
    ("a header with a hole", header(b"x.dat 16+999999999 200 16 0 0 0 0 II"), "claims 4000 samples"),
    ("a header that packs an age", header(b"x.dat 516 200 16 0 0 0 0 II", b"x 1 360 9999999999"), "compressed"),
    ("a header of many parts", header(b"y 4000", b"x/99999 1 360 4000"), "99999 segments and describes 1"),
    ("a header of a megabyte", {"x.hea": HEADER % (b"x", b"x.dat") + b"#\n" * 600_000}, "above 1000000"),
    ("a header with a gain of nothing", header(b"x.dat 16 1e300 16 0 0 0 0 II"), "gain"),
    # EDF
    ("EDF that claims a long data record", {"x.edf": edited_edf(256 + 216 * 2, "99999999")}, "not one of them"),
    ("EDF that claims many signals", {"x.edf": edited_edf(252, "9999", 4)}, "claims 9999 signals"),
    ("EDF that claims a long header", {"x.edf": edited_edf(184, "99999999")}, "in a header of 99999999 bytes"),
    ("EDF that is cut before its samples", {"x.edf": edf(10)[:1500]}, "not one of them"),
    ("EDF of negative samples", {"x.edf": edited_edf(256 + 216 * 2, "-360")}, "data records of"),
    # MATLAB, XML, DICOM, ISHNE
    ("MATLAB of nothing", {"x.mat": b"MATLAB 5.0 MAT-file".ljust(124) + b"\0\1IM" + b"\xff" * 100}, "x.mat"),
    (
        "XML that grows",
        {"x.xml": b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><AnnotatedECG>&c;</AnnotatedECG>'},
        "no whole XML document",
    ),
    (
        "XML that fetches",
        {"x.xml": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'},
        "no whole XML",
    ),
    ("XML of another kind", {"x.xml": b"<html><body/></html>"}, "of the kind 'html'"),
    ("DICOM of nothing", {"x.dcm": b"\0" * 128 + b"DICM" + b"\xff" * 50}, "x.dcm"),
    ("ISHNE that claims many leads", {"x.ecg": b"ISHNE1.0" + b"\x7f" * 600}, "claims 32639 leads"),
    ("ISHNE without its samples", {"x.ecg": b"ISHNE1.0" + b"\0" * 100}, "an ISHNE header has 522"),
    # zip
    ("a bomb", {"x.zip": bomb(8_000_000)}, "above 100 to 1"),
    ("a bomb that lies", {"x.zip": lying_bomb()}, "x.zip"),
    ("a crowd", {"x.zip": many_members(600)}, "above 500"),
    ("a crowd that lies", {"x.zip": members_uncounted()}, "above 500"),
    ("an archive in an archive", {"x.zip": zipped({"y.zip": zipped({"a.csv": b"1"})})}, "archive in an archive"),
    ("a way out", {"x.zip": zipped({"../../x.csv": b"1,2\n"})}, "lies outside"),
    ("a way to the root", {"x.zip": zipped({"/etc/x.csv": b"1,2\n"})}, "lies outside"),
    ("a way out of Windows", {"x.zip": zipped({"..\\x.csv": b"1,2\n"})}, "lies outside"),
    ("a link", {"x.zip": link()}, "a link or device"),
    ("a password", {"x.zip": encrypted()}, "is encrypted"),
    ("half an archive", {"x.zip": zipped({"a.csv": b"1,2\n" * 999})[:60]}, "not a complete zip archive"),
    ("two of one name", {"x.zip": zipped({"a.csv": b"1,2\n", "A.csv": b"1,2\n"})}, "twice"),
    ("folders without end", {"x.zip": zipped({"a/" * 20 + "x.csv": b"1,2\n"})}, "folders 20 deep"),
    ("an empty archive", {"x.zip": zipped({})}, ""),
    # names
    ("a name that is a path", {"../x.csv": b"1,2\n"}, "not paths"),
    ("a name that clears the screen", {"\x1b[2J.csv": b"1,2\n"}, "cannot be shown"),
    ("one name twice", {"a.csv": b"II\nx\n", "A.csv": b"II\nx\n"}, "was sent twice"),
]
# A record among others in one archive: the damaged one hinders none.
MIXED = zipped(
    {f"set/{name}": content for name, content in wfdb_files("good").items()}
    | {"set/bad.hea": b"nonsense", "notes/readme.md": b"#"}
)
