"""ONNX files opened for inference, each held against what its manifest says of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import Any

import onnxruntime as ort

from detector.manifest import ModelError, ModelFile

FLOAT = "tensor(float)"


class Session:
    """An ONNX file opened for inference, which another thread can end.

    Parameters
    ----------
    model : the file
    options : as onnxruntime takes them
    """

    def __init__(self, model: bytes, options: ort.SessionOptions) -> None:
        self._session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self._options = ort.RunOptions()

    def get_inputs(self) -> list[ort.NodeArg]:
        """Return the inputs that the file declares."""
        return list(self._session.get_inputs())

    def get_outputs(self) -> list[ort.NodeArg]:
        """Return the outputs that the file declares."""
        return list(self._session.get_outputs())

    def run(self, outputs: list[str] | None, inputs: dict[str, Any]) -> list[Any]:
        """Return the outputs that are named; None for all."""
        found: list[Any] = self._session.run(outputs, inputs, self._options)
        return found

    def end_runs(self) -> None:
        """Let the inference at work fail before its next operator, and every later one until they are allowed."""
        self._options.terminate = True

    def allow_runs(self) -> None:
        """Let inferences run again."""
        self._options.terminate = False


class TooSlowError(ModelError):
    """Inferences took longer than they may, and were ended."""


@contextmanager
def time_limit(sessions: Sequence[Session], seconds: float) -> Iterator[None]:
    """End the inferences within that take longer.

    An operator that has begun is not interrupted, so that one that takes long by itself takes that long.

    Parameters
    ----------
    sessions : whose inferences
    seconds : for all of them together

    Raises
    ------
    TooSlowError : when one was ended
    """
    ended = False

    def end() -> None:
        nonlocal ended
        ended = True
        for session in sessions:
            session.end_runs()

    timer = Timer(seconds, end)
    timer.start()
    try:
        yield
    except Exception as error:
        if not ended:
            raise
        raise TooSlowError(
            f"the networks took longer than the {seconds:g} s that are waited for: look for a loop that does not end, "
            "or make them smaller"
        ) from error
    finally:
        timer.cancel()
        timer.join()  # or it might still end what comes next
        for session in sessions:
            session.allow_runs()


def open_session(directory: Path, model: ModelFile, threads: int, *, optimised: bool = True) -> Session:
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


def load_session(path: Path, threads: int, *, optimised: bool = True) -> Session:
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
        return Session(path.read_bytes(), options)
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): restore it, or export the models anew") from error
    except Exception as error:  # onnxruntime raises kinds of its own for every fault of a file
        raise ModelError(f"{path} is no ONNX model that can be run: {error}: export the models anew") from error
