"""MIT-BIH Malignant Ventricular Ectopy Database: rhythm marks alone, no beats."""

import re

from training.databases.database import Database

# fmt: off
_NAMES = (
    "418", "419", "420", "421", "422", "423", "424", "425", "426", "427", "428",
    "429", "430", "602", "605", "607", "609", "610", "611", "612", "614", "615",
)
# fmt: on

DATABASE = Database(
    name="vfdb",
    citation="Greenwald SD. Development and analysis of a ventricular fibrillation detector. MS thesis, MIT, 1986",
    records=re.compile(r"4[1-3]\d|6[01]\d"),
    tunes="limits of the lethal rhythms",
    learned=_NAMES,
)
