"""Samples of the past as files to keep."""

import io
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from bus.stored_samples import StoredSamples
from ecg.annotations import Annotations
from ecg.exports import EXPORTS, ExportForm, Origin, export, plain_stem


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedFile:
    """A file for whoever asked for it.

    Attributes
    ----------
    name : of letters, digits, - and _, and its suffix
    media_type : of its content
    """

    name: str
    media_type: str
    content: bytes


def exported(found: StoredSamples, form: ExportForm, annotations: Annotations | None = None) -> ExportedFile:
    """Return samples as one file: a .zip where the format has several.

    Parameters
    ----------
    found : as they came, or filtered
    form : one of ``ecg.exports.EXPORTS``
    annotations : of the beats, for WFDB

    Raises
    ------
    EcgStreamError : when the format cannot hold them
    """
    start = datetime.fromtimestamp(found.start_ns // 1_000_000_000, UTC)
    stem = plain_stem(f"{found.patient}-{start:%Y%m%dT%H%M%SZ}")
    origin = Origin(patient=found.patient, device=found.device, start_ns=found.start_ns, annotations=annotations)
    with TemporaryDirectory() as folder:
        files = export(Path(folder) / stem, found.as_record(), origin, form)
        name, content = files[0].name, files[0].read_bytes()
        if len(files) > 1:
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
                for file in files:
                    archive.write(file, file.name)
            name, content = f"{stem}.zip", packed.getvalue()
    return ExportedFile(name=name, media_type=EXPORTS[form].media_type, content=content)
