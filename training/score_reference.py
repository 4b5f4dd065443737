"""The reference of the scores' drift: what models give on the records that their networks learned from."""

from collections.abc import Iterator
from pathlib import Path

from bus.messages import Verdict
from detector.drift import REFERENCE, ScoreDistribution, ScoreName, ScoreReference
from detector.manifest import load_manifest
from detector.offline import Progress, judge_record, no_progress, verdicts_in
from detector.scorer import Scorer
from training.records import TrainingRecords


def learned_records(directory: Path) -> tuple[str, ...]:
    """Return the names of the records that the networks of a folder learned from.

    Raises
    ------
    ModelError : when it holds no models that this program can run
    """
    return tuple(load_manifest(directory).data["records"])


def write_reference(directory: Path, records: TrainingRecords, *, progress: Progress = no_progress) -> ScoreReference:
    """Judge the records by the models of a folder, and write beside them how their scores are distributed.

    The networks have seen these records: their scores lie a little further apart than those of new patients, by which
    the index of a healthy ward is not quite 0.

    Parameters
    ----------
    directory : of the models
    records : what the networks learned from; a record that is held back cannot be among them
    progress : is told how many records are done, and of how many

    Raises
    ------
    ModelError : when the models cannot be run
    EcgStreamError : when a record cannot be read
    """
    scorer = Scorer(directory)
    found: dict[ScoreName, list[float]] = {"fused": [], "cnn": [], "autoencoder": []}
    for done, name in enumerate(records.names):
        progress(done, len(records.names))
        for verdict in _judged(scorer, records, name):
            # A window that is unusable has none of them.
            if verdict.fused is not None and verdict.cnn is not None and verdict.autoencoder is not None:
                found["fused"].append(verdict.fused)
                found["cnn"].append(verdict.cnn)
                found["autoencoder"].append(verdict.autoencoder)
    progress(len(records.names), len(records.names))
    reference = ScoreReference(
        models=scorer.versions,
        records=records.names,
        windows=len(found["fused"]),
        scores={name: ScoreDistribution.of(scores) for name, scores in found.items()},
    )
    (directory / REFERENCE).write_text(reference.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return reference


def _judged(scorer: Scorer, records: TrainingRecords, name: str) -> Iterator[Verdict]:
    yield from verdicts_in(judge_record(records.read(name), scorer))
