"""Reports on models: which there are, and what a check has found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from detector.manifest import ModelError
from detector.model_check import MOST_DIFFERENCE, ModelCheck
from detector.scorer import open_networks
from ecgstream.failures import one_line

_CHANGED = {
    "batch": "each window alone",
    "order": "in other batches, the other way round",
    "optimisation": "without onnxruntime's optimisations",
    "threads": "on two threads",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModels:
    """A folder of models.

    Attributes
    ----------
    directory : where it lies
    roles : what it is for; none where it is only looked at
    versions : of the models in it; empty where they do not fit
    why_not : why they do not fit; None where they do
    """

    directory: str
    roles: tuple[str, ...]
    versions: dict[str, str]
    why_not: str | None


def list_of_models(places: Sequence[tuple[str, Path]]) -> list[ListedModels]:
    """Look at folders of models, each once.

    Parameters
    ----------
    places : a role, empty for none, and the folder
    """
    roles: dict[Path, list[str]] = {}
    for role, place in places:
        roles.setdefault(place.resolve(), []).extend([role] * bool(role))
    listed = []
    for place, of in roles.items():
        versions, why_not = {}, None
        try:
            versions = open_networks(place, 1)[0].versions
        except ModelError as error:
            why_not = one_line(error)
        listed.append(ListedModels(directory=str(place), roles=tuple(of), versions=versions, why_not=why_not))
    return listed


def models_table(listed: Sequence[ListedModels]) -> Table:
    """Return the table that people read."""
    table = Table("folder", "role", "versions", "fits")
    for each in listed:
        table.add_row(
            each.directory,
            ", ".join(each.roles) or "-",
            ", ".join(each.versions.values()) or "-",
            "yes" if each.why_not is None else f"no: {each.why_not}",
        )
    return table


def check_lines(check: ModelCheck) -> Iterator[str]:
    """Yield what a check has found, in words."""
    if check.versions:
        yield f"{check.directory}: {', '.join(check.versions.values())}"
        yield f"run on {check.windows} windows, of a recording and made ones"
    for batch, ms in check.ms_per_window.items():
        yield f"{ms:.3f} ms a window in batches of {batch}, on one thread of this machine"
    for name, difference in check.differences.items():
        yield f"{_CHANGED[name]}: probabilities differ by at most {difference:.2g}, allowed is {MOST_DIFFERENCE:g}"
    if check.differences:
        yield "proven for this processor; run the check on each other kind of processor that is to judge"
    for misfit in check.misfits:
        yield f"does not fit: {misfit}"
    if not check.misfits:
        yield f"it fits: let it judge beside the shipped models by 'ecgstream detect --shadow {check.directory}'"


def check_result(check: ModelCheck) -> dict[str, object]:
    """Return a check as JSON has it."""
    return {
        "directory": str(check.directory),
        "versions": check.versions,
        "fits": not check.misfits,
        "misfits": list(check.misfits),
        "windows": check.windows,
        "ms_per_window": {str(batch): ms for batch, ms in check.ms_per_window.items()},
        "largest_difference": check.differences,
    }
