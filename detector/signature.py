"""Signatures of models: who vouches for a manifest, which names every model file by its hash."""

import base64
import binascii
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from detector.manifest import MANIFEST, ModelError
from detector.own_manifest import is_own, load_own_manifest

SIGNATURE = "manifest.sig"


def sign_manifest(directory: Path, private_key: Path) -> Path:
    """Sign a model directory's manifest with Ed25519.

    Parameters
    ----------
    directory : where the models lie
    private_key : PEM file without a password

    Returns
    -------
    the file of the signature, beside the manifest, base64

    Raises
    ------
    ModelError : when the manifest cannot be read, the key is none, or the signature cannot be written
    """
    try:
        key = load_pem_private_key(_read(private_key, "the private key"), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(private_key, "openssl genpkey -algorithm ed25519 -out KEY.pem") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(private_key, "openssl genpkey -algorithm ed25519 -out KEY.pem")
    path = directory / SIGNATURE
    signature = base64.b64encode(key.sign(_read(directory / MANIFEST, "the manifest"))) + b"\n"
    try:
        path.write_bytes(signature)
    except OSError as error:
        raise ModelError(f"{path} cannot be written ({error.strerror}): let this user write there") from error
    return path


def check_signature(directory: Path, public_key: Path) -> None:
    """Hold a model directory's manifest against its signature.

    Parameters
    ----------
    directory : where the models lie
    public_key : PEM file of who must have signed them

    Raises
    ------
    ModelError : when there is no signature, it is another's, the manifest was changed since, or it names a file by no
        hash, so that its signature says nothing of the model
    """
    try:
        key = load_pem_public_key(_read(public_key, "ECGSTREAM_DETECTOR_MODEL_KEY"))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _no_key(public_key, "openssl pkey -in KEY.pem -pubout -out PUBLIC.pem") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(public_key, "openssl pkey -in KEY.pem -pubout -out PUBLIC.pem")
    remedy = (
        f"sign the models with 'ecgstream sign-models {directory} --key KEY.pem' and the key that belongs to "
        f"{public_key}, or leave ECGSTREAM_DETECTOR_MODEL_KEY unset"
    )
    path = directory / SIGNATURE
    try:
        signature = base64.b64decode(path.read_bytes().strip(), validate=True)
        key.verify(signature, _read(directory / MANIFEST, "the manifest"))
    except FileNotFoundError as error:
        raise ModelError(f"{path} is not there, and only signed models are accepted: {remedy}") from error
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): {remedy}") from error
    except (InvalidSignature, binascii.Error) as error:
        raise ModelError(
            f"{path} does not fit {MANIFEST}: another key signed it, or the models were changed since: {remedy}"
        ) from error
    if is_own(directory) and (own := load_own_manifest(directory)).sha256 is None:
        raise ModelError(
            f"{directory / MANIFEST} is signed but has no sha256, so that any file may stand behind it: add "
            f"'\"sha256\": \"...\"' with what 'sha256sum {directory / own.file}' prints, and sign it again"
        )


def _read(path: Path, title: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}): name {title}") from error


def _no_key(path: Path, command: str) -> ModelError:
    return ModelError(f"{path} is no Ed25519 key in PEM: make one with '{command}'")
