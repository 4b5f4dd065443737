"""Places of the files of a WFDB record: whatever the case of their names, and however a browser renamed them."""

import re
from pathlib import Path

HEADER = ".hea"
# What browsers and desktops put behind the stem of a second copy: "100 (1).hea", "100 - Copy.hea", "100 copy.hea".
_COPY = re.compile(r"(?P<stem>.+?)(?: ?\(\d+\)| - Copy(?: \(\d+\))?| copy(?: \d+)?)", re.IGNORECASE)


def is_header(path: Path) -> bool:
    """Return whether a file is a header, by its suffix."""
    return path.suffix.lower() == HEADER


def in_folder(folder: Path, name: str) -> Path | None:
    """Return the file of a name, else the only one whose name differs in case alone; None where there is none."""
    exact = folder / name
    if exact.is_file():
        return exact
    if not folder.is_dir():
        return None
    same = [path for path in folder.iterdir() if path.name.casefold() == name.casefold() and path.is_file()]
    return same[0] if len(same) == 1 else None


def header_of(path: Path) -> Path | None:
    """Return the header of a record by its path, with or without suffix, of any of its files; None without one."""
    names = [path.name] if is_header(path) else [f"{path.name}{HEADER}", f"{path.stem}{HEADER}"]
    return next((found for name in names if (found := in_folder(path.parent, name))), None)


def signal_file(header: Path, record: str, name: str) -> Path | None:
    """Return the signal file that a header names, else the one that was renamed with the header; None without one.

    Parameters
    ----------
    header : the header's path
    record : the record's name, as the header has it
    name : the signal file's, as the header has it
    """
    rest = name[len(record) :] if name.startswith(record) else Path(name).suffix
    renamed = in_folder(header.parent, f"{header.stem}{rest}")
    copied = _COPY.fullmatch(header.stem)
    if renamed is not None and copied and name.casefold().startswith(copied["stem"].casefold()):
        return renamed  # a second download: the first one's samples may lie there under the name
    found = in_folder(header.parent, name)
    return renamed if found is None and header.stem.casefold() != record.casefold() else found
