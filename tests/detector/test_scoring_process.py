import multiprocessing
from dataclasses import replace

import pytest

from detector.offline import judge_record
from detector.scorer import Scorer
from detector.scoring_process import ScoringProcess
from ecg.errors import EcgStreamError
from ecg.excerpts import WARD
from ecg.records import Record
from models import SHIPPED
from tests.support.recordings import recording


@pytest.fixture(scope="module")
def heart() -> Record:
    record = recording(WARD[1])
    return replace(record, samples=record.samples[: round(90 * record.fs_hz)])


def test_a_process_beside_scores_as_this_one_does(heart: Record) -> None:
    scorer = Scorer(SHIPPED)
    with ScoringProcess(scorer) as beside:
        found = list(judge_record(heart, scorer, score=beside.score))
    assert found == list(judge_record(heart, scorer))
    assert multiprocessing.active_children() == []


def test_a_process_that_is_ended_is_told(heart: Record) -> None:
    scorer = Scorer(SHIPPED)
    with ScoringProcess(scorer) as beside:
        judged = judge_record(heart, scorer, score=beside.score)
        beside.score([])()
        for child in multiprocessing.active_children():
            child.kill()
        with pytest.raises(EcgStreamError, match="the process that scores was ended"):
            list(judged)
