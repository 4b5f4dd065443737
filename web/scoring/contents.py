"""File contents, checked against their names."""

from pathlib import Path

from ecg.errors import EcgStreamError
from ecg.formats import HEAD_BYTES, content_of, describe_formats, format_of, is_part, not_read

ARCHIVE = ".zip"
_ARCHIVED = "a .zip of them"


def check_content(path: Path, name: str) -> None:
    """Refuse a file that is empty, of no kind that is read, or not what its name says.

    Raises
    ------
    EcgStreamError : when it is one of these
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise EcgStreamError(f"{name} is empty: send it again")
    if is_part(name):  # its bytes follow no pattern
        return
    form, found = format_of(name), content_of(head)
    wanted = form.content if form else "zip archive" if Path(name).suffix.lower() == ARCHIVE else None
    if wanted is None and found not in {None, "text"}:
        raise EcgStreamError(
            f"{name} holds {_article(found)}, which is not read: give {describe_formats(beside=_ARCHIVED)}"
        )
    if wanted is None:
        raise not_read(name, beside=_ARCHIVED)
    if found != wanted:
        raise EcgStreamError(
            f"{name} should hold a {wanted}, it holds {_article(found)}: send the right file, or rename it"
        )


def _article(kind: str | None) -> str:
    return "bytes of an unknown kind" if kind is None else f"a {kind}"
