"""Lists of records that lie beside this file."""

from importlib.resources import files


def names_in(file: str) -> tuple[str, ...]:
    """The names in a list, one a line."""
    return tuple(files(__package__).joinpath(file).read_text(encoding="utf-8").split())
