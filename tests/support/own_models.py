"""Window models of one's own, made in a test as ONNX graphs: right ones, and each kind of wrong one."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FS_HZ = 100
CONTEXT_S = 5


def manifest_of(**changed: object) -> dict[str, object]:
    """The manifest of a model that sees 5 s of one lead, with changes."""
    return {
        "window_model": 1,
        "name": "energy",
        "file": "energy.onnx",
        "fs_hz": FS_HZ,
        "leads": 1,
        "context_s": CONTEXT_S,
        "normalisation": "standard",
        "outputs": {"window_probability": "probability"},
        "threshold": 0.5,
    } | changed


def write_model(
    directory: Path,
    *,
    shape: Sequence[int | str] = ("windows", 1, FS_HZ * CONTEXT_S),
    element: int = TensorProto.FLOAT,
    last: str = "Sigmoid",
    values: int = 1,
    mixes: bool = False,
    inside: int = -1,
    rounds: int = 0,
    at_rest: bool = False,
    **changed: object,
) -> Path:
    """Write a model that scores a window by the weighted sum of its squares, and its manifest.

    Parameters
    ----------
    directory : where to; it is made
    shape : of the input
    element : type of its values
    last : operator at the end: what comes out of "Sigmoid" is a probability
    values : given for each window
    mixes : whether a window's score depends on the others of its batch
    inside : windows that the graph has room for inside, whatever it says outside; -1 for any number
    rounds : of a loop that changes nothing but takes time; flat signals are spared it unless ``at_rest``
    at_rest : see there
    changed : of the manifest
    """
    directory.mkdir(parents=True, exist_ok=True)
    kind = helper.tensor_dtype_to_np_dtype(element)
    size = int(np.prod([each for each in shape[1:] if isinstance(each, int)]))
    weights = np.random.default_rng(7).normal(0, 2.0 / size, (size, values)).astype(kind)
    flat = np.array([inside if isinstance(shape[0], str) else shape[0], size], np.int64)
    nodes = [
        helper.make_node("Mul", ["signal", "signal"], ["squares"]),
        *(_loop(rounds, at_rest=at_rest) if rounds else [helper.make_node("Identity", ["squares"], ["late"])]),
        helper.make_node("Reshape", ["late", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "weights"], ["sums"]),
        *([helper.make_node("Softmax", ["sums"], ["mixed"], axis=0)] if mixes else []),
        helper.make_node(last, ["mixed" if mixes else "sums"], ["probability"]),
    ]
    graph = helper.make_graph(
        nodes,
        "energy",
        [helper.make_tensor_value_info("signal", element, list(shape))],
        [helper.make_tensor_value_info("probability", element, [shape[0], values])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(flat, "flat")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, directory / "energy.onnx")
    (directory / "manifest.json").write_text(json.dumps(manifest_of(**changed)), encoding="utf-8")
    return directory


def _loop(rounds: int, *, at_rest: bool) -> list[onnx.NodeProto]:
    """Take the squares' absolute value, which they are, again and again."""
    any_shape = helper.make_tensor_value_info
    body = helper.make_graph(
        [helper.make_node("Identity", ["on"], ["on_out"]), helper.make_node("Abs", ["value"], ["value_out"])],
        "round",
        [
            any_shape("round", TensorProto.INT64, []),
            any_shape("on", TensorProto.BOOL, []),
            any_shape("value", TensorProto.FLOAT, None),
        ],
        [any_shape("on_out", TensorProto.BOOL, []), any_shape("value_out", TensorProto.FLOAT, None)],
    )
    least = np.array(-1.0 if at_rest else 1e-3, np.float32)
    return [
        helper.make_node("Constant", [], ["rounds"], value=numpy_helper.from_array(np.array(rounds, np.int64))),
        helper.make_node("Constant", [], ["least"], value=numpy_helper.from_array(least)),
        helper.make_node("ReduceMax", ["squares"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "least"], ["moves"]),
        helper.make_node("Loop", ["rounds", "moves", "squares"], ["late"], body=body),
    ]
