import multiprocessing
from dataclasses import replace

import numpy as np
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
    """Four batches, each far larger than what a pipe holds."""
    record = recording(WARD[1])
    return replace(record, samples=np.tile(record.samples, (4, 1)))


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(SHIPPED)


def end_processes() -> None:
    for child in multiprocessing.active_children():
        child.kill()
        child.join()


def test_a_process_beside_scores_as_this_one_does(heart: Record, scorer: Scorer) -> None:
    before = set(multiprocessing.active_children())  # other tests may have left some
    with ScoringProcess(scorer) as beside:
        found = list(judge_record(heart, scorer, score=beside.score))
    assert found == list(judge_record(heart, scorer))
    assert set(multiprocessing.active_children()) <= before


def test_a_process_that_was_ended_is_told(heart: Record, scorer: Scorer) -> None:
    with ScoringProcess(scorer) as beside:
        judged = judge_record(heart, scorer, score=beside.score)
        beside.score([])()
        end_processes()
        with pytest.raises(EcgStreamError, match="the process that scores was ended"):
            list(judged)


def test_a_process_that_ends_with_a_batch_on_its_way_is_told(heart: Record, scorer: Scorer) -> None:
    with ScoringProcess(scorer) as beside:
        judged = judge_record(heart, scorer, score=beside.score)
        next(judged)  # by now, the second batch is with the process
        end_processes()
        with pytest.raises(EcgStreamError, match="the process that scores was ended"):
            list(judged)


def test_an_error_of_the_process_is_raised_where_it_is_waited_for(scorer: Scorer) -> None:
    with ScoringProcess(scorer) as beside:
        wait = beside.score([None])  # type: ignore[list-item] # what nobody can score
        with pytest.raises(AttributeError):
            wait()
        assert beside.score([])() == []
