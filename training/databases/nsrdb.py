"""MIT-BIH Normal Sinus Rhythm Database: hours of normal life, in which nearly every alarm is false."""

import re

from training.databases.database import Database

DATABASE = Database(
    name="nsrdb",
    citation="Goldberger AL et al. Circulation 101 (2000) e215, doi:10.1161/01.CIR.101.23.e215",
    records=re.compile(r"1[6-9]\d\d\d"),
    # Of 18 patients; the others stay unseen.
    tunes="limits that false alarms set",
    unseen="10 of 18 patients",
    rhythms="normal",
    learned=("17052", "18177", "18184", "19088", "19090", "19093", "19140", "19830"),
)
