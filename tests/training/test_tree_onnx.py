import numpy as np
import onnxruntime as ort
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from training.tree_onnx import INPUT, OUTPUT, trees_to_onnx


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_graph_says_what_the_trees_say(seeds: int) -> None:
    random = np.random.default_rng(0)
    features = random.normal(size=(3000, 12)).astype(np.float32)
    features[:, 3] = np.round(features[:, 3])  # a threshold lies on a value
    features[random.random(features.shape) < 0.1] = np.nan
    known = np.nan_to_num(features)
    classes = np.where(
        known[:, 0] > 1, "V", np.where(known[:, 1] + known[:, 3] > 1, "S", np.where(known[:, 2] > 1.5, "F", "N"))
    )
    models = [
        HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=9, random_state=seed).fit(
            features[seed::2], classes[seed::2]
        )
        for seed in range(seeds)
    ]
    graph = trees_to_onnx(models, "NSVF")
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run([OUTPUT], {INPUT: features})
    odds = np.mean([model.decision_function(features) for model in models], axis=0)
    powers = np.exp(odds - odds.max(axis=1, keepdims=True))
    expected = (powers / powers.sum(axis=1, keepdims=True))[:, [list(models[0].classes_).index(c) for c in "NSVF"]]
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(found.sum(axis=1) - 1).max() < 1e-5
