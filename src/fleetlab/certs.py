# SPDX-License-Identifier: BSD-2-Clause
"""Certificates of virtual BMCs, made when a farm starts."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

KINDS = ("self-signed", "expired", "wrong-name")
_MOST_ADDRESSES = 64


@dataclass(frozen=True)
class Certificate:
    """`pem`: the certificate, usable as a client's CA file. `fingerprint`: SHA-256 of the DER form, lower-case hex."""

    pem: Path
    fingerprint: str
    context: ssl.SSLContext


def make_certificate(kind: str, addresses: Iterable[str], directory: Path) -> Certificate:
    """Make a key and a self-signed certificate of a kind out of KINDS.

    It names localhost, 127.0.0.1 and `addresses`; when these are very many, none of them, since the certificate goes
    over the wire in each handshake.
    """
    more = set(addresses)
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    if len(more) <= _MOST_ADDRESSES:
        names += [x509.IPAddress(ipaddress.ip_address(item)) for item in sorted(more - {"127.0.0.1"})]
    if kind == "wrong-name":
        names = [x509.DNSName("somewhere-else.invalid")]
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    start, end = (now - 365 * day, now - day) if kind == "expired" else (now - day, now + 365 * day)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "virtual BMC")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_file = directory / f"{kind}.pem", directory / f"{kind}.key"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, key_file)
    der = certificate.public_bytes(serialization.Encoding.DER)
    return Certificate(pem, hashlib.sha256(der).hexdigest(), context)
