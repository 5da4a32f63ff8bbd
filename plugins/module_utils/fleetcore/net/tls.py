# SPDX-License-Identifier: BSD-2-Clause

"""TLS: what is believed of a server's certificate."""

from __future__ import annotations

import functools
import hashlib
import os
import ssl
from typing import Any, Optional

from ..errors import InvalidInput


def clean_fingerprint(value: Optional[str]) -> Optional[str]:
    """Bring a SHA-256 digest, ``aa:bb:...`` or plain hex, into lower-case hex with colons.

    :raises InvalidInput: not 32 bytes in hex.
    """
    if value is None or not value.strip():
        return None
    text = value.strip().lower()
    text = text[7:] if text.startswith(("sha256:", "sha256=")) else text
    digits = text.replace(":", "").replace(" ", "")
    if len(digits) != 64 or not set(digits) <= set("0123456789abcdef"):
        raise InvalidInput(
            "fingerprint: expected the SHA-256 of the certificate, 64 hex digits with or without colons; "
            "`openssl x509 -noout -fingerprint -sha256` prints it",
            field="fingerprint",
        )
    return ":".join(digits[i : i + 2] for i in range(0, 64, 2))


def fingerprint_of(sock: Any) -> str:
    """SHA-256 of the peer's certificate of a connected TLS socket, in the form of :func:`clean_fingerprint`."""
    return clean_fingerprint(hashlib.sha256(sock.getpeercert(binary_form=True)).hexdigest()) or ""


@functools.lru_cache(maxsize=64)
def tls_context(ca_path: Optional[str], verify: bool) -> ssl.SSLContext:
    """Make the context for a setting, once in the whole process: building one costs 20 ms.

    :raises InvalidInput: no certificates in ``ca_path``.
    """
    try:
        if ca_path is None:
            context = ssl.create_default_context()
        elif os.path.isdir(ca_path):
            context = ssl.create_default_context(capath=ca_path)
        else:
            context = ssl.create_default_context(cafile=ca_path)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError: not PEM
        raise InvalidInput(f"ca_path {ca_path}: not readable as PEM certificates ({error})", field="ca_path") from error
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        # Old BMCs have 1024-bit keys; who has turned verification off, or pinned the certificate, wants to reach them.
        context.set_ciphers("DEFAULT@SECLEVEL=0")
    return context
