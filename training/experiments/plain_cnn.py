"""A plain CNN to compare times with: what a first attempt at this task looks like, with weights of no meaning."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from detector.manifest import ModelFile
from ecg.leads import MODEL_LEADS
from ecg.segments import WINDOW_SAMPLES

CHANNELS = (MODEL_LEADS, 32, 64, 64, 48)
KERNELS = (7, 5, 5, 5)
OPSET, IR_VERSION = 18, 10
INPUT, OUTPUT = "window", "logit"


def write_plain_cnn(directory: Path) -> ModelFile:
    """Write the network: four convolutions with pooling on the 5 s of a window, the mean over time, one logit.

    Parameters
    ----------
    directory : where the ONNX file goes
    """
    random = np.random.default_rng(0)
    weights, nodes, flowing = [], [], INPUT
    for number, ((before, after), kernel) in enumerate(zip(pairwise(CHANNELS), KERNELS, strict=True)):
        drawn = random.standard_normal((after, before, kernel)) / np.sqrt(before * kernel)
        weights += [
            numpy_helper.from_array(drawn.astype(np.float32), f"weight{number}"),
            numpy_helper.from_array(np.zeros(after, np.float32), f"bias{number}"),
        ]
        nodes += [
            helper.make_node(
                "Conv", [flowing, f"weight{number}", f"bias{number}"], [f"conv{number}"], pads=[kernel // 2] * 2
            ),
            helper.make_node("Relu", [f"conv{number}"], [f"relu{number}"]),
            helper.make_node("MaxPool", [f"relu{number}"], [f"pool{number}"], kernel_shape=[2], strides=[2]),
        ]
        flowing = f"pool{number}"
    weights += [
        numpy_helper.from_array(random.standard_normal((CHANNELS[-1], 1)).astype(np.float32), "head"),
        numpy_helper.from_array(np.zeros(1, np.float32), "head_bias"),
    ]
    nodes += [
        helper.make_node("GlobalAveragePool", [flowing], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["features"]),
        helper.make_node("Gemm", ["features", "head", "head_bias"], [OUTPUT]),
    ]
    shapes = {INPUT: (MODEL_LEADS, WINDOW_SAMPLES), OUTPUT: (1,)}
    entries = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
        for name, shape in shapes.items()
    }
    graph = helper.make_graph(nodes, "plain_cnn", [entries[INPUT]], [entries[OUTPUT]], weights)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(graph, opset_imports=[opset], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    file = "plain_cnn.onnx"
    (directory / file).write_bytes(model.SerializeToString())
    return ModelFile(
        file=file,
        sha256="",  # made and read in one run
        version="plain",
        parameters=sum(int(np.prod(weight.dims)) for weight in weights),
        input_name=INPUT,
        input_shape=shapes[INPUT],
        outputs={OUTPUT: shapes[OUTPUT]},
    )
