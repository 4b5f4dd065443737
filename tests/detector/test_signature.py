"""Signatures of models: only what the key has signed is taken, and each refusal says what to do."""

import hashlib
import shutil
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from detector.manifest import MANIFEST, ModelError
from detector.scorer import scorer_of
from detector.settings import DetectorSettings
from detector.signature import SIGNATURE, check_signature, sign_manifest
from models import SHIPPED
from tests.support.own_models import write_model


def key_pair(folder: Path) -> tuple[Path, Path]:
    """Files of a private key and its public one."""
    folder.mkdir()
    key = Ed25519PrivateKey.generate()
    private, public = folder / "private.pem", folder / "public.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for file in ("manifest.json", *(path.name for path in SHIPPED.glob("*.onnx"))):
        (tmp_path / "models").mkdir(exist_ok=True)
        shutil.copyfile(SHIPPED / file, tmp_path / "models" / file)
    return tmp_path / "models"


def test_signed_models_are_taken(models: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path / "ours")
    assert sign_manifest(models, private) == models / SIGNATURE
    signed = DetectorSettings(_env_file=None, models=models, model_key=public)
    assert scorer_of(signed).versions == scorer_of(DetectorSettings(_env_file=None, models=models)).versions


def test_models_without_a_signature_of_this_key_are_refused(models: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path / "ours")
    settings = DetectorSettings(_env_file=None, models=models, model_key=public)
    with pytest.raises(ModelError, match=r"only signed models are accepted: sign the models with"):
        scorer_of(settings)
    sign_manifest(models, key_pair(tmp_path / "others")[0])
    with pytest.raises(ModelError, match=r"another key signed it, or the models were changed"):
        scorer_of(settings)
    (models / SIGNATURE).write_text("no base64")
    with pytest.raises(ModelError, match=r"does not fit manifest\.json"):
        scorer_of(settings)
    sign_manifest(models, private)  # the remedy
    check_signature(models, public)


def test_a_manifest_that_was_changed_after_it_was_signed_is_refused(models: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path / "ours")
    sign_manifest(models, private)
    (models / MANIFEST).write_text((models / MANIFEST).read_text() + " ")
    with pytest.raises(ModelError, match=r"were changed since"):
        check_signature(models, public)


def test_what_is_no_key_of_this_kind_is_refused(models: Path, tmp_path: Path) -> None:
    private, public = key_pair(tmp_path / "ours")
    other = tmp_path / "other.pem"
    key = generate_private_key(SECP256R1())
    for content in (b"no key", key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())):
        other.write_bytes(content)
        with pytest.raises(ModelError, match=r"no Ed25519 key in PEM: make one with 'openssl genpkey"):
            sign_manifest(models, other)
    for content in (
        b"no key",
        private.read_bytes(),
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ):
        other.write_bytes(content)
        with pytest.raises(ModelError, match=r"no Ed25519 key in PEM: make one with 'openssl pkey"):
            check_signature(models, other)
    with pytest.raises(ModelError, match=r"cannot be read .*name ECGSTREAM_DETECTOR_MODEL_KEY"):
        check_signature(models, public.with_name("absent.pem"))


def test_of_a_model_of_ones_own_the_signed_manifest_names_the_file_by_its_hash(tmp_path: Path) -> None:
    private, public = key_pair(tmp_path / "ours")
    own = write_model(tmp_path / "own")
    sign_manifest(own, private)
    with pytest.raises(ModelError, match=r"has no sha256, so that any file may stand behind it: add"):
        check_signature(own, public)
    digest = hashlib.sha256((own / "energy.onnx").read_bytes()).hexdigest()
    sign_manifest(write_model(own, sha256=digest), private)  # the remedy
    settings = DetectorSettings(_env_file=None, models=own, model_key=public)
    assert scorer_of(settings).versions == {"cnn": f"energy-{digest[:8]}"}
    (own / "energy.onnx").write_bytes((SHIPPED / "cnn.onnx").read_bytes())
    with pytest.raises(ModelError, match=r"the manifest says .*: the file is another; put back"):
        scorer_of(settings)
