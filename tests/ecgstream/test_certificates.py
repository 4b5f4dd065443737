"""Certificates and secrets of an installation: whole, of one authority, and closed to others."""

import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from cryptography.x509.verification import PolicyBuilder, Store

from bus.access import access
from ecg.errors import EcgStreamError
from ecgstream.certificates import make_certificates

HOSTS = ("kafka", "localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates") / "secure"
    make_certificates(folder, hosts=HOSTS, days=30)
    return folder


def chain(folder: Path, name: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates((folder / name).read_bytes())


def test_the_broker_is_trusted_under_each_of_its_names_and_no_other(made: Path) -> None:
    certificate, authority = chain(made, "kafka.pem")
    assert [authority] == chain(made, "ca.pem")
    policy = PolicyBuilder().store(Store([authority]))
    for name in ("kafka", "localhost"):
        assert policy.build_server_verifier(x509.DNSName(name)).verify(certificate, []) == [certificate, authority]
    with pytest.raises(x509.verification.VerificationError):
        policy.build_server_verifier(x509.DNSName("elsewhere")).verify(certificate, [])


def test_the_administrator_is_a_client_and_not_a_server(made: Path) -> None:
    certificate, _ = chain(made, "admin.pem")
    usage = certificate.extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value
    assert isinstance(usage, x509.ExtendedKeyUsage)
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert certificate.subject.rfc4514_string() == "CN=admin"


@pytest.mark.parametrize("name", ["kafka.pem", "admin.pem"])
def test_key_and_certificate_belong_together_and_the_authoritys_key_is_not_kept(made: Path, name: str) -> None:
    ssl.create_default_context().load_cert_chain(made / name)
    key = load_pem_private_key((made / name).read_bytes(), None)
    assert key.public_key() == chain(made, name)[0].public_key()
    assert b"PRIVATE KEY" not in (made / "ca.pem").read_bytes()


def test_there_is_a_password_for_every_user_and_no_two_are_alike(made: Path) -> None:
    passwords = [(made / f"{user}_password").read_text() for user in (*access(), "postgres")]
    assert len(set(passwords)) == len(passwords)
    assert min(map(len, passwords)) >= 32
    assert (made / "postgres_password").read_text() in (made / "alarm_db").read_text()


def test_nobody_else_comes_into_the_folder(made: Path) -> None:
    assert made.stat().st_mode & 0o777 == 0o700


def test_nothing_is_overwritten(made: Path) -> None:
    before = {file: file.read_bytes() for file in made.iterdir()}
    with pytest.raises(EcgStreamError, match="is not empty: name a new folder"):
        make_certificates(made, hosts=HOSTS, days=30)
    assert {file: file.read_bytes() for file in made.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EcgStreamError, match=r"cannot be written: .*: name another folder"):
        make_certificates(tmp_path / "file" / "secure", hosts=HOSTS, days=30)
