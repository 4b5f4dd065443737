"""Units of voltage, however a device spells them."""

import re
import unicodedata

_PREFIXES_MV = {"": 1e3, "m": 1.0, "milli": 1.0, "u": 1e-3, "micro": 1e-3, "mc": 1e-3, "mic": 1e-3, "n": 1e-6}
_PREFIXES_MV |= {"nano": 1e-6}
# A Greek mu gets lost in many ways (UTF-8 read as Latin-1, code page 437, "?"), and no other prefix is beyond ASCII.
_VOLTAGE = re.compile(r"(?P<prefix>[a-z]*|[^\x00-\x7f]+|\?+)[ ._-]?(?:v|volts?)", re.IGNORECASE)


def millivolts_in(unit: str) -> float | None:
    """Return how many mV a unit is; None for what is no voltage.

    Parameters
    ----------
    unit : as a file or a person spells it: "mV", "microV", "µV" in any encoding, "millivolts"
    """
    plain = unicodedata.normalize("NFC", unit).strip(" \0\t[]()\"'")
    found = _VOLTAGE.fullmatch(plain)
    if found is None:
        return None
    prefix = found["prefix"].lower()
    return _PREFIXES_MV["micro"] if (prefix and not prefix.isascii()) or "?" in prefix else _PREFIXES_MV.get(prefix)
