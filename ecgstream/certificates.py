"""Certificates, passwords and other secrets of an installation's own, made in one go."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bus.access import access
from ecg.errors import EcgStreamError

BROKER = "kafka"  # its name in the certificate, and in docker-compose.secure.yml
ADMIN = "admin"
SECRET_BYTES = 32
EARLY = timedelta(minutes=5)  # machines' clocks differ
_Key = ec.EllipticCurvePrivateKey


def make_certificates(folder: Path, *, hosts: Iterable[str], days: int) -> list[str]:
    """Make an authority, the broker's and the administrator's certificates, and every password.

    The folder lets nobody but its owner in; the files in it can be read, so that a container to which one is handed
    can. The authority's key is not kept: who wants other certificates makes all anew.

    Parameters
    ----------
    folder : is made; must not hold anything
    hosts : names and addresses under which clients reach the broker
    days : how long the certificates are valid

    Returns
    -------
    the names of the files

    Raises
    ------
    EcgStreamError : when the folder cannot be made, or is not empty
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        if any(folder.iterdir()):
            raise EcgStreamError(f"{folder} is not empty: name a new folder, or remove what is in it")
        made = _contents(tuple(hosts), days)
        for name, text in made.items():
            (folder / name).write_bytes(text)
            (folder / name).chmod(0o644)
    except OSError as error:
        raise EcgStreamError(f"{folder} cannot be written: {error.strerror}: name another folder") from error
    return sorted(made)


def _contents(hosts: tuple[str, ...], days: int) -> dict[str, bytes]:
    until = datetime.now(UTC) + timedelta(days=days)
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _authority(authority_key, until)

    def certified(name: str, hosts: tuple[str, ...], *, server: bool) -> bytes:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _certificate(name, key, hosts, until, signer=authority_key, server=server)
        return _key_pem(key) + _pem(certificate) + _pem(authority)

    database = secrets.token_urlsafe(SECRET_BYTES)
    passwords = {f"{user}_password": secrets.token_urlsafe(SECRET_BYTES) for user in access()}
    passwords["postgres_password"] = database
    passwords["alarm_db"] = f"postgresql://ecgstream:{quote(database)}@postgres/alarms"
    passwords["session_secret"] = secrets.token_urlsafe(SECRET_BYTES)
    return {
        "ca.pem": _pem(authority),
        f"{BROKER}.pem": certified(BROKER, hosts, server=True),
        f"{ADMIN}.pem": certified(ADMIN, (), server=False),
    } | {name: word.encode() for name, word in passwords.items()}


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _authority(key: _Key, until: datetime) -> x509.Certificate:
    name = _name("ecgstream")
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        _begun(name, key, until)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, hashes.SHA256())
    )


def _certificate(
    name: str, key: _Key, hosts: tuple[str, ...], until: datetime, *, signer: _Key, server: bool
) -> x509.Certificate:
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH] + [ExtendedKeyUsageOID.SERVER_AUTH] * server
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    made = (
        _begun(_name(name), key, until)
        .issuer_name(_name("ecgstream"))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(identifier, critical=False)
    )
    if hosts:
        made = made.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
    return made.sign(signer, hashes.SHA256())


def _begun(name: x509.Name, key: _Key, until: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - EARLY)
        .not_valid_after(until)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: _Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
