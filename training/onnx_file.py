"""One network as one ONNX file, checked against torch."""

import hashlib
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from detector.manifest import ModelFile
from detector.sessions import open_session
from ecg.errors import EcgStreamError
from ecg.leads import MODEL_LEADS
from ecg.segments import MODEL_SAMPLES

OPSET = 18
TOLERANCE = 1e-4  # largest difference to torch, in units of the outputs


class _Outputs(nn.Module):
    """A network without the outputs that only training needs."""

    def __init__(self, network: nn.Module, count: int) -> None:
        super().__init__()
        self.network = network
        self._count = count

    def forward(self, inputs: Tensor) -> tuple[Tensor, ...]:
        outputs = self.network(inputs)
        return (outputs,) if isinstance(outputs, Tensor) else tuple(outputs[: self._count])


def write_onnx(
    network: nn.Module,
    directory: Path,
    name: str,
    *,
    input_name: str,
    probes: Tensor,
    outputs: dict[str, tuple[int, ...]],
    family: str = "",
) -> tuple[ModelFile, float]:
    """Write a network; returns what a manifest says of the file, and the largest difference to torch.

    Parameters
    ----------
    network : with its weights
    directory : where ``<name>.onnx`` goes
    input_name, probes : what the input is called, and two or more of them, on which torch and the file are compared
    outputs : names and shapes of the network's first outputs, without the batch axis
    family : stands before the name in the version, where there are several networks of one name

    Raises
    ------
    EcgStreamError : when the difference is above ``TOLERANCE``
    """
    model = _graph(network, name, input_name, probes[:2], outputs)
    content = model.SerializeToString()
    digest = hashlib.sha256(content).hexdigest()
    described = ModelFile(
        file=f"{name}.onnx",
        sha256=digest,
        version=f"{family}{name}-{digest[:8]}",
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        input_name=input_name,
        input_shape=tuple(probes.shape[1:]),
        outputs=outputs,
    )
    directory.mkdir(parents=True, exist_ok=True)
    (directory / described.file).write_bytes(content)
    difference = largest_difference(network, directory, described, probes)
    if not difference <= TOLERANCE:
        raise EcgStreamError(
            f"{described.file} differs from torch by {difference:.2g}, more than {TOLERANCE:g}: do not ship it"
        )
    return described, difference


def segment_probes() -> Tensor:
    """Segments on which torch and an ONNX file are compared: noise, silence, a stream's start, one lead, beats."""
    segments = torch.randn(5, MODEL_LEADS, MODEL_SAMPLES, generator=torch.Generator().manual_seed(0))
    segments[1] = 0
    segments[2, :, :700] = 0
    segments[3, 1] = 0
    segments[4] = 4 * (torch.arange(MODEL_SAMPLES) % 80 < 6)  # at 75/min
    return segments


def largest_difference(network: nn.Module, directory: Path, model: ModelFile, probes: Tensor) -> float:
    """Between an ONNX file's outputs and torch's, over some inputs."""
    with torch.inference_mode():
        expected = _Outputs(network.eval(), len(model.outputs))(probes)
    session = open_session(directory, model, 1)
    found = session.run(list(model.outputs), {model.input_name: probes.numpy()})
    return max(float(np.abs(array - tensor.numpy()).max()) for array, tensor in zip(found, expected, strict=True))


def _graph(
    network: nn.Module, name: str, input_name: str, example: Tensor, outputs: dict[str, tuple[int, ...]]
) -> onnx.ModelProto:
    # It tells of every operator of torchvision, which is not here, and of what it does with weights on the way.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Outputs(network, len(outputs)).eval(),
            (torch.zeros_like(example),),
            input_names=[input_name],
            output_names=list(outputs),
            opset_version=OPSET,
            dynamic_shapes={"inputs": {0: torch.export.Dim("batch")}},
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise EcgStreamError(f"torch could not export {name}: train anew")
    model = program.model_proto
    for output in model.graph.output:
        # The shapes as they are, for readers that check them.
        shape = output.type.tensor_type.shape
        del shape.dim[:]
        shape.dim.add().dim_param = "batch"
        for size in outputs[output.name]:
            shape.dim.add().dim_value = size
    without_traces(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def without_traces(model: onnx.ModelProto) -> None:
    """Take out where in the source each node came from: paths of this machine, and another file on every machine."""
    del model.metadata_props[:]
    model.doc_string = ""
    del model.graph.metadata_props[:]
    for part in (*model.graph.node, *model.graph.initializer, *model.graph.value_info, *model.graph.input):
        del part.metadata_props[:]
        part.doc_string = ""
    for output in model.graph.output:
        del output.metadata_props[:]
