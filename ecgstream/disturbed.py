"""Judging the same records heard through other devices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from bus.messages import Urgent, Verdict
from detector.manifest import Thresholds
from detector.offline import verdicts_in
from ecg.annotations import Annotations
from ecg.errors import EcgStreamError
from ecg.records import Record
from ecg.wfdb_files import load_record, read_noise
from ecgstream.evaluation import EVERY, Judging, Progress, alerts_of, judged_each, judged_here
from training.disturbances import NOISES, Recording, disturbances, disturbances_named
from training.evaluate import evaluate
from training.figures import Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class DisturbedEvaluation:
    """Figures of the models on disturbed records.

    Attributes
    ----------
    name : of the disturbance
    evaluation : None where it fits no record
    left_out : per record that the disturbance does not fit, why
    """

    name: str
    evaluation: Evaluation | None
    left_out: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judgement:
    published: list[Verdict | Urgent]
    annotations: Annotations
    refused: str | None = None


@lru_cache(maxsize=1)
def noise_records(folder: Path) -> Mapping[str, Record]:
    """The noise records that are in a folder, by name."""
    return {name: read_noise(folder / name) for name in NOISES if (folder / f"{name}.hea").is_file()}


def _judge(job: tuple[str, str], annotations: Annotations, folder: Path, noise: Path) -> _Judgement:
    disturbance, name = job
    disturb = disturbances(noise_records(noise))[disturbance]
    try:
        heard = disturb(Recording(record=load_record(name, folder), annotations=annotations))
    except EcgStreamError as error:
        return _Judgement(published=[], annotations=annotations, refused=str(error))
    return _Judgement(published=judged_here(heard.record), annotations=heard.annotations)


def chosen(selection: str, noise: Path) -> tuple[str, ...]:
    """The names of the disturbances that are meant.

    Raises
    ------
    EcgStreamError : when there is no such disturbance, or its noise is not in the folder
    """
    found = noise_records(noise)
    names = tuple(disturbances_named(selection, found))
    if selection.lower() == EVERY and len(found) < len(NOISES):
        raise EcgStreamError(
            f"{', '.join(set(NOISES) - found.keys())}: no such noise record in {noise}: run 'ecgstream data fetch', or "
            f"name disturbances among {', '.join(names)}"
        )
    return names


def evaluate_disturbed(
    names: Sequence[str],
    annotations: Mapping[str, Annotations],
    judging: Judging,
    *,
    thresholds: Thresholds,
    noise: Path,
    done: Progress,
) -> Iterator[DisturbedEvaluation]:
    """Judge records offline under one disturbance after the other.

    Parameters
    ----------
    names : of the disturbances
    annotations : of the records, as they are undisturbed
    judging : by what
    thresholds : from the models' manifest
    noise : the folder of the noise records
    done : is told of every record that is done
    """
    jobs = [(disturbance, name) for disturbance in names for name in annotations]
    heard = judged_each(
        judging.settings,
        _judge,
        jobs,
        [annotations[name] for _, name in jobs],
        [judging.folder] * len(jobs),
        [noise] * len(jobs),
    )
    for disturbance in names:
        judged: dict[str, _Judgement] = {}
        left_out: dict[str, str] = {}
        for name in annotations:
            judgement = next(heard)
            done(1)
            if judgement.refused is None:
                judged[name] = judgement
            else:
                left_out[name] = judgement.refused
        evaluation = evaluate(
            {name: verdicts_in(of.published) for name, of in judged.items()},
            {name: of.annotations for name, of in judged.items()},
            thresholds=thresholds,
            alerts={name: alerts_of(of.published, judging.rules) for name, of in judged.items()},
        )
        yield DisturbedEvaluation(name=disturbance, evaluation=evaluation if judged else None, left_out=left_out)
