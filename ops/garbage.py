"""The interpreter's search for cyclic garbage, set for services that hold much and make few cycles."""

import gc

# What lives on is looked at again and again at the interpreter's own 700, 10, 10: a fifth of a busy detector's time.
THRESHOLDS = (50_000, 20, 100)


def search_less_often() -> None:
    """Leave what is loaded out of every search, and search seldom; to be called once a service has loaded its code."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
