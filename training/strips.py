"""Short strips of one class each: atrial fibrillation and noise, told by the detector or not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bus.messages import Urgent, Verdict
from training.databases.challenge2017 import StripClass
from training.metrics import ratio

NOISE_SHARE = 0.5  # of a strip's windows that are not judged, from which the strip is noise


def class_of(published: Sequence[Verdict | Urgent]) -> StripClass:
    """The class of a strip by what the detector tells of it."""
    verdicts = [each for each in published if isinstance(each, Verdict)]
    unusable = sum(verdict.decision == "unusable" for verdict in verdicts)
    if not verdicts or unusable >= NOISE_SHARE * len(verdicts):
        return "~"
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    if any(finding.kind == "atrial_fibrillation" for finding in findings):
        return "A"
    return "O" if findings or any(verdict.decision == "abnormal" for verdict in verdicts) else "N"


def strip_figures(classes: Mapping[str, StripClass], found: Mapping[str, StripClass]) -> dict[str, Any]:
    """The figures of some strips, as `ecgstream evaluate --json` writes them.

    Parameters
    ----------
    classes : by strip, what experts call it
    found : by strip, what the detector calls it
    """
    table: Counter[tuple[str, str]] = Counter((classes[name], letter) for name, letter in found.items())

    def count(reference: str, letters: str) -> int:
        return sum(number for (of, letter), number in table.items() if of in reference and letter in letters)

    hits, misses, false = count("A", "A"), count("A", "NO~"), count("NO~", "A")
    return {
        "records": len(found),
        "af": {
            "se": ratio(hits, hits + misses),
            "ppv": ratio(hits, hits + false),
            "f1": ratio(2 * hits, 2 * hits + misses + false),
        },
        "noise": {
            "se": ratio(count("~", "~"), count("~", "NAO~")),
            "false_share": ratio(count("N", "~"), count("N", "NAO~")),
        },
        "confusion": {reference: {letter: table[reference, letter] for letter in "NAO~"} for reference in "NAO~"},
    }
