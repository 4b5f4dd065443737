"""Twelve leads made of two: pages need them, and the recordings at hand have two."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


def twelve_leads(limb_mv: FloatArray, chest_mv: FloatArray, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Make twelve leads by linear combination of a limb lead and a chest lead.

    Einthoven's and Goldberger's equations hold between the limb leads, and the chest leads go over from one that is
    like the given chest lead to one that is like the limb lead. The leads are plausible, and of nobody.

    Parameters
    ----------
    limb_mv, chest_mv : (n,) float64, simultaneous
    rng : draws the heart's axis and the sizes

    Returns
    -------
    (n,) float64 of each of the twelve leads, -aVR among them
    """
    two = limb_mv
    # Away from a half: there aVL would be nothing but the pen's width.
    share = rng.uniform(0.2, 0.35) if rng.random() < 0.5 else rng.uniform(0.65, 0.8)
    one = share * limb_mv - rng.choice([-1.0, 1.0]) * rng.uniform(0.1, 0.3) * chest_mv
    leads = {"I": one, "II": two, "III": two - one, "aVR": -(one + two) / 2}
    leads |= {"aVL": one - two / 2, "aVF": two - one / 2, "-aVR": (one + two) / 2}
    for number, part in enumerate(np.linspace(0.0, 1.0, 6), start=1):
        size = 1.0 + rng.uniform(0.1, 0.6) * np.sin(np.pi * part)
        leads[f"V{number}"] = size * ((1 - part) * chest_mv + part * rng.uniform(0.7, 1.1) * limb_mv)
    return leads
