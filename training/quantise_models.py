"""Static int8 models from the shipped ones, calibrated on training patients, as a directory that the detector takes.

Activations are unsigned and weights signed, one scale a channel: on x86 with VNNI onnxruntime has fast kernels for
this pairing alone; with signed activations the same networks run slower than in float32. Weights have 7 bits, so that
x86 without VNNI, which sums two products in 16 bits, gives the same sums.
"""

import hashlib
import logging
import shutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from detector.manifest import MANIFEST, ModelFile, load_manifest
from ecg.leads import choose_leads
from ecg.records import Float32Array
from ecg.segments import Preprocessing, prepare_segments
from ecg.windows import WINDOW_S
from training.data import segments_of
from training.records import TrainingRecords

PER_RECORD = 12  # calibration segments: 264 of DS1
BATCH = 8
OPERATORS = ("Conv", "Add", "Relu")  # what the networks spend nine tenths of their time in
VERSION_DIGITS = 8


class Form(StrEnum):
    """Form in which a quantised graph is written down."""

    QDQ = "QDQ"  # float operators between pairs that quantise and dequantise; the runtime fuses them
    OPERATORS = "QOperator"  # integer operators


def calibration_segments(records: TrainingRecords, *, per_record: int = PER_RECORD, seed: int = 0) -> Float32Array:
    """Segments from everywhere in the training records, usable ones alone, as the models see them.

    Parameters
    ----------
    records : to draw from; DS2 cannot be among them
    per_record : segments of each
    seed : of the draws

    Returns
    -------
    (n, leads, samples) float32
    """
    random = np.random.default_rng(seed)
    chosen = []
    for name in records.names:
        record = records.read(name)
        ends = np.sort(random.integers(round(WINDOW_S * record.fs_hz), len(record.samples), per_record))
        columns = list(choose_leads(record.leads))
        prepared = prepare_segments(
            segments_of(record, ends),
            fs_hz=record.fs_hz,
            gain=[record.gain[column] for column in columns],
            baseline=[record.baseline[column] for column in columns],
            settings=Preprocessing(),
        )
        chosen.append(prepared.inputs[prepared.judged >= 0])
    return np.concatenate(chosen)


def quantise(directory: Path, target: Path, segments: Float32Array, *, form: Form = Form.OPERATORS) -> None:
    """Write int8 networks with their manifest, which keeps calibration and thresholds of the float ones.

    Parameters
    ----------
    directory : the float32 models and their manifest
    target : where the int8 ones go; earlier ones there are replaced
    segments : (n, leads, samples) float32, to measure the range of every activation on
    form : how the graphs are written down

    Raises
    ------
    ModelError : when the float32 models do not fit their manifest
    """
    manifest = load_manifest(directory)
    target.mkdir(parents=True, exist_ok=True)
    files = {
        name: _quantise_one(directory, target, getattr(manifest, name), segments, form)
        for name in ("cnn", "autoencoder")
    }
    shutil.copyfile(directory / manifest.beats.file, target / manifest.beats.file)
    text = manifest.model_copy(update=files).model_dump_json(indent=2)
    (target / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _quantise_one(directory: Path, target: Path, model: ModelFile, segments: Float32Array, form: Form) -> ModelFile:
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)  # it tells of every node that it leaves in float32
    try:
        with TemporaryDirectory() as folder:
            prepared = Path(folder) / model.file
            quant_pre_process(directory / model.file, prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                target / model.file,
                _Segments(segments, model.input_name),
                quant_format=QuantFormat[form.value],
                op_types_to_quantize=list(OPERATORS),
                nodes_to_exclude=_float_sums(prepared),
                per_channel=True,
                reduce_range=True,  # 7 bits of weight: no sum of two products can saturate on x86 without VNNI
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
    finally:
        logging.getLogger().setLevel(level)
    digest = hashlib.sha256((target / model.file).read_bytes()).hexdigest()
    version = f"{model.version.partition('-')[0]}-int8-{digest[:VERSION_DIGITS]}"
    return model.model_copy(update={"sha256": digest, "version": version})


def _float_sums(path: Path) -> list[str]:
    """Sums of something that stays in float32: around it onnxruntime would put integer operators that are slow."""
    graph = onnx.load(path).graph
    made_by = {output: node.op_type for node in graph.node for output in node.output}
    return [
        node.name
        for node in graph.node
        if node.op_type == "Add" and any(made_by.get(name, OPERATORS[0]) not in OPERATORS for name in node.input)
    ]


class _Segments(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
    """Segments in batches, as the quantisation asks for them."""

    def __init__(self, segments: Float32Array, input_name: str) -> None:
        self._batches: Iterator[Float32Array] = iter(np.array_split(segments, max(1, len(segments) // BATCH)))
        self._input_name = input_name

    def get_next(self) -> dict[str, Float32Array] | None:
        """The next batch by the input's name, None after the last."""
        batch = next(self._batches, None)
        return None if batch is None else {self._input_name: batch}
