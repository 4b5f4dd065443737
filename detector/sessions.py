"""ONNX files opened for inference, each held against what its manifest says of it."""

from pathlib import Path

import onnxruntime as ort

from detector.manifest import ModelError, ModelFile

FLOAT = "tensor(float)"


def open_session(directory: Path, model: ModelFile, threads: int, *, optimised: bool = True) -> ort.InferenceSession:
    """Load one ONNX file as its manifest describes it.

    Raises
    ------
    ModelError : when the file cannot be run, or takes or gives other shapes
    """
    path = directory / model.file
    session = load_session(path, threads, optimised=optimised)
    inputs = {entry.name: tuple(entry.shape[1:]) for entry in session.get_inputs()}
    if inputs != {model.input_name: model.input_shape}:
        raise ModelError(
            f"{path} takes {inputs}, its manifest says {model.input_name} {model.input_shape}: export the models anew"
        )
    (entry,) = session.get_inputs()
    if entry.type != FLOAT:
        raise ModelError(f"{path} takes {entry.type}, it is given {FLOAT}: export the models anew in float32")
    if isinstance(entry.shape[0], int):
        raise ModelError(
            f"{path} takes batches of {entry.shape[0]} and no other, it is given batches of any size: "
            "export the models anew with a dynamic first axis"
        )
    found = {entry.name: tuple(entry.shape[1:]) for entry in session.get_outputs()}
    if found != model.outputs:
        raise ModelError(f"{path} gives {found}, its manifest says {model.outputs}: export the models anew")
    return session


def load_session(path: Path, threads: int, *, optimised: bool = True) -> ort.InferenceSession:
    """Load an ONNX file, whatever it takes and gives.

    Parameters
    ----------
    path : the file
    threads : of one inference
    optimised : whether onnxruntime may rewrite the graph, as it does in the detector

    Raises
    ------
    ModelError : when the file cannot be read or run
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A spinning idle thread would starve broker and event loop on small machines.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return ort.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): restore it, or export the models anew") from error
    except Exception as error:  # onnxruntime raises kinds of its own for every fault of a file
        raise ModelError(f"{path} is no ONNX model that can be run: {error}: export the models anew") from error
