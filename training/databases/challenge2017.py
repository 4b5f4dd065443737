"""PhysioNet/CinC Challenge 2017: strips of a hand-held device: normal, atrial fibrillation, other, or noise."""

import re
from pathlib import Path
from typing import Literal, get_args

from ecg.errors import EcgStreamError
from training.databases.database import Database
from training.databases.names import names_in

StripClass = Literal["N", "A", "O", "~"]
_CLASSES: dict[str, StripClass] = {letter: letter for letter in get_args(StripClass)}

REFERENCE = "REFERENCE*.csv"  # corrected twice by its publisher: the last one counts


def read_classes(folder: Path) -> dict[str, StripClass]:
    """The class of each strip: N normal, A atrial fibrillation, O another rhythm, ~ too noisy to say.

    Raises
    ------
    EcgStreamError : when the list is missing or damaged
    """
    path = max(
        folder.glob(REFERENCE), key=lambda path: ("-v" in path.name, path.name), default=folder / "REFERENCE.csv"
    )
    try:
        rows = [line.split(",") for line in path.read_text(encoding="utf-8").split()]
        return {name: _CLASSES[letter] for name, letter in rows}
    except FileNotFoundError:
        raise EcgStreamError(
            f"there is no list of classes {path}: bring the database with 'ecgstream data fetch challenge2017'"
        ) from None
    except (OSError, ValueError, KeyError) as error:
        raise EcgStreamError(f"{path} is no list of classes ({error}): lay the database out anew") from error


DATABASE = Database(
    name="challenge2017",
    citation="Clifford GD et al. Computing in Cardiology 44 (2017), doi:10.22489/CinC.2017.065-469",
    records=re.compile(r"A\d{5}"),
    tunes="limits of atrial fibrillation and of noise",
    unseen="7,428 of 8,528 strips",
    learned=names_in("challenge2017.txt"),
    labels=read_classes,
)
