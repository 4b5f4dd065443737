"""MIT-BIH Arrhythmia Database: DS1 trains, DS2 tests; the paced records, which are in neither, may train."""

import re

from ecg.labels import DS1, PACED
from training.databases.database import Database
from training.databases.names import names_in

DATABASE = Database(
    name="mitdb",
    citation="Moody GB, Mark RG. IEEE Eng Med Biol 20 (2001) 45, doi:10.1109/51.932724",
    records=re.compile(r"1[0-2]\d|2[0-3]\d"),
    tunes="calibration, thresholds, every rule",
    unseen="DS2, the test set: 22 records",
    learned=(*DS1, *PACED),
    held_back=frozenset(names_in("mitdb_held_back.txt")),
)
