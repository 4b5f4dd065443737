"""Boosted trees of scikit-learn as an ONNX graph, so that ONNX Runtime runs them like any network.

The converter that others use (skl2onnx 1.20) fails on these trees with the onnx package pinned here.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper
from sklearn.ensemble import HistGradientBoostingClassifier

from detector.manifest import ModelFile
from detector.patient import ClassBeats
from detector.scorer import BeatClassifier
from ecg.errors import EcgStreamError

INPUT, OUTPUT = "features", "probabilities"
NAME = "beats"
NEVER = -30.0  # log odds of a class that no beat was of
_OPSET, _ML_OPSET = 17, 3


def trees_to_onnx(models: Sequence[HistGradientBoostingClassifier], classes: Sequence[str]) -> onnx.ModelProto:
    """One graph: features (N, F) float32, NaN where unknown, to probabilities (N, classes) by the mean of the models.

    Parameters
    ----------
    models : fitted on the same features and classes; their log odds are averaged
    classes : all classes that there are, in the order of the output
    """
    nodes: dict[str, Any] = {name: [] for name in _NODE}
    leaves: dict[str, Any] = {name: [] for name in _LEAF}
    base = np.full(len(classes), NEVER)
    base[[list(classes).index(str(letter)) for letter in models[0].classes_]] = 0.0
    tree = 0
    for model in models:
        known = [list(classes).index(str(letter)) for letter in model.classes_]
        place = known if len(known) > 2 else known[1:]  # of two classes, the trees give the odds of the second
        base[place] += model._baseline_prediction.ravel() / len(models)  # noqa: SLF001 # there is no public way to a tree
        for stage in model._predictors:  # noqa: SLF001
            for target, predictor in zip(place, stage, strict=True):
                weighed = predictor.nodes.copy()
                weighed["value"] /= len(models)
                _add_tree(weighed, tree, target, nodes, leaves)
                tree += 1
    ensemble = helper.make_node(
        "TreeEnsembleRegressor",
        [INPUT],
        ["odds"],
        domain="ai.onnx.ml",
        n_targets=len(classes),
        aggregate_function="SUM",
        post_transform="NONE",
        base_values=[float(value) for value in base],
        **nodes,
        **leaves,
    )
    softmax = helper.make_node("Softmax", ["odds"], [OUTPUT], axis=1)
    features = models[0].n_features_in_
    graph = helper.make_graph(
        [ensemble, softmax],
        NAME,
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", features])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", len(classes)])],
    )
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    )
    made.ir_version = 8
    onnx.checker.check_model(made)
    return made


def describe_trees(content: bytes) -> ModelFile:
    """Describe a file of trees as a manifest does.

    Parameters
    ----------
    content : of the file that ``trees_to_onnx`` gave
    """
    graph = onnx.load_from_string(content).graph
    (features,), (probabilities,) = graph.input, graph.output
    leaves = sum(len(value.floats) for value in graph.node[0].attribute if value.name == "target_weights")
    digest = hashlib.sha256(content).hexdigest()
    return ModelFile(
        file=f"{NAME}.onnx",
        sha256=digest,
        version=f"{NAME}-{digest[:8]}",
        parameters=leaves,
        input_name=INPUT,
        input_shape=(features.type.tensor_type.shape.dim[1].dim_value,),
        outputs={OUTPUT: (probabilities.type.tensor_type.shape.dim[1].dim_value,)},
    )


def read_trees(directory: Path) -> bytes:
    """The file of a run's trees.

    Raises
    ------
    EcgStreamError : when the run has none
    """
    path = directory / f"{NAME}.onnx"
    try:
        return path.read_bytes()
    except OSError as error:
        raise EcgStreamError(
            f"{path} cannot be read ({error.strerror}): train the run anew, or run `ecgstream train-beats {directory}`"
        ) from error


def exported_trees(directory: Path) -> ClassBeats:
    """The trees of a run, as the detector runs them."""
    return BeatClassifier(directory, describe_trees(read_trees(directory)))


_NODE = (
    "nodes_treeids",
    "nodes_nodeids",
    "nodes_featureids",
    "nodes_values",
    "nodes_modes",
    "nodes_truenodeids",
    "nodes_falsenodeids",
    "nodes_missing_value_tracks_true",
)
_LEAF = ("target_treeids", "target_nodeids", "target_ids", "target_weights")


def _add_tree(
    tree: npt.NDArray[np.void],
    number: int,
    target: int,
    nodes: dict[str, Any],
    leaves: dict[str, Any],
) -> None:
    for place, node in enumerate(tree):
        leaf = bool(node["is_leaf"])
        nodes["nodes_treeids"].append(number)
        nodes["nodes_nodeids"].append(place)
        nodes["nodes_featureids"].append(0 if leaf else int(node["feature_idx"]))
        nodes["nodes_values"].append(0.0 if leaf else _float32_below(float(node["num_threshold"])))
        nodes["nodes_modes"].append("LEAF" if leaf else "BRANCH_LEQ")
        nodes["nodes_truenodeids"].append(0 if leaf else int(node["left"]))
        nodes["nodes_falsenodeids"].append(0 if leaf else int(node["right"]))
        nodes["nodes_missing_value_tracks_true"].append(0 if leaf else int(node["missing_go_to_left"]))
        if leaf:
            leaves["target_treeids"].append(number)
            leaves["target_nodeids"].append(place)
            leaves["target_ids"].append(target)
            leaves["target_weights"].append(float(node["value"]))


def _float32_below(threshold: float) -> float:
    """The highest float32 that is not above a threshold: what is compared is float32."""
    if np.isinf(threshold):
        return float(np.finfo(np.float32).max)
    rounded = np.float32(threshold)
    return float(rounded if float(rounded) <= threshold else np.nextafter(rounded, np.float32(-np.inf)))
