import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from training.metrics import (
    auroc,
    average_precision,
    best_f1_threshold,
    confusion,
    precision_recall_curve,
    ratio,
    roc_curve,
)

# Few distinct scores, so that ties are common.
CASES = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=60)


def _arrays(case: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([label for label, _ in case]), np.array([score / 6 for _, score in case])


@given(CASES)
def test_areas_equal_scikit_learns(case: list[tuple[bool, int]]) -> None:
    labels, scores = _arrays(case)
    if labels.all() or not labels.any():
        assert auroc(labels, scores) is None
    else:
        assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    if labels.any():
        assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    else:
        assert average_precision(labels, scores) is None


@given(CASES)
def test_no_threshold_has_a_higher_f1(case: list[tuple[bool, int]]) -> None:
    labels, scores = _arrays(case)
    best = best_f1_threshold(labels, scores)
    if best is None:
        assert not labels.any()
        return
    reached = f1_score(labels, scores >= best)
    assert all(f1_score(labels, scores >= other) <= reached + 1e-12 for other in scores)


@given(CASES)
def test_the_confusion_counts_every_window_once(case: list[tuple[bool, int]]) -> None:
    labels, scores = _arrays(case)
    tn, fp, fn, tp = confusion(labels, scores >= 0.5)
    assert tn + fp + fn + tp == len(labels)
    assert (tp + fn, tp + fp) == (labels.sum(), (scores >= 0.5).sum())


def test_nothing_over_nothing_is_not_nought() -> None:
    assert ratio(0, 0) is None
    assert ratio(0, 3) == 0


def test_curves_end_where_everything_is_called() -> None:
    labels = np.array([True, False, True, False])
    scores = np.array([0.9, 0.8, 0.8, 0.1])
    false_rate, true_rate = roc_curve(labels, scores)
    assert false_rate.tolist() == [0, 0, 0.5, 1]
    assert true_rate.tolist() == [0, 0.5, 1, 1]
    area = auroc(labels, scores)
    assert np.trapezoid(true_rate, false_rate) == pytest.approx(area)
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    assert precision.tolist() == pytest.approx([1, 2 / 3, 0.5])
    assert recall.tolist() == [0.5, 1, 1]
    assert thresholds.tolist() == [0.9, 0.8, 0.1]
