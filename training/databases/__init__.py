"""Every set of recordings that something is learned from or measured on; a new one is one file and one entry here.

How each is fetched stands in ``ecg.data``, which knows nothing of what is learned from it.
"""

from ecg.errors import EcgStreamError
from ecg.labels import DS1
from training.databases import challenge2015, challenge2017, mitdb, nsrdb, svdb, vfdb
from training.databases.database import Database

DATABASES: dict[str, Database] = {
    module.DATABASE.name: module.DATABASE for module in (mitdb, svdb, vfdb, nsrdb, challenge2015, challenge2017)
}
# Those with beats, from which networks learn, by the names of `ecgstream train --databases`.
SELECTIONS: dict[str, tuple[Database, tuple[str, ...]]] = {
    "mitdb-ds1": (mitdb.DATABASE, DS1),
    "svdb": (svdb.DATABASE, svdb.DATABASE.learned),
    "nsrdb": (nsrdb.DATABASE, nsrdb.DATABASE.learned),
}


def known_database(name: str) -> str:
    """The name of a database, once it is known to be one.

    Raises
    ------
    EcgStreamError : when it is not
    """
    if name not in DATABASES:
        raise EcgStreamError(f"database {name!r} is not known: choose of {', '.join(DATABASES)}")
    return name


def database_of(name: str) -> tuple[Database, str]:
    """The database and the plain name of a record, given as "svdb/800" or, of mitdb, as "101".

    Raises
    ------
    EcgStreamError : when the database is not known
    """
    folder, slash, record = name.rpartition("/")
    if not slash:
        return mitdb.DATABASE, name
    if folder not in DATABASES:
        raise EcgStreamError(f"record {name}: database {folder!r} is not known: choose of {', '.join(DATABASES)}")
    return DATABASES[folder], record


def records_of(selections: str) -> tuple[str, ...]:
    """The records that a list of selections means.

    Parameters
    ----------
    selections : of ``SELECTIONS``, separated by commas

    Raises
    ------
    EcgStreamError : when one is not known
    """
    names: list[str] = []
    for selection in dict.fromkeys(part.strip() for part in selections.split(",") if part.strip()):
        if selection not in SELECTIONS:
            raise EcgStreamError(f"databases={selection!r} is not known: give some of {', '.join(SELECTIONS)}")
        database, records = SELECTIONS[selection]
        names += records if database is mitdb.DATABASE else (f"{database.name}/{record}" for record in records)
    if not names:
        raise EcgStreamError(f"databases={selections!r} names none: give some of {', '.join(SELECTIONS)}")
    return tuple(names)
