# SPDX-License-Identifier: BSD-2-Clause
"""AES-256-GCM with a ring of keys: the first encrypts, all decrypt.

A result is ``v1:<key id>:<base64 of nonce and text>``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import stat
from collections.abc import Sequence
from pathlib import Path

from fleetcore.errors import InvalidInput, MissingDependency

_NONCE = 12


def new_key() -> str:
    """A key as it stands in a key file."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def read_keys(path: Path) -> list[str]:
    """The keys of a file, one per line; empty lines and those that start with # are skipped.

    :raises InvalidInput: it can't be read, or others than its owner and group can read it too.
    """
    try:
        if path.stat().st_mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise InvalidInput(f"credentials.key_file: {path} is open to others: chmod 600 {path}")
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as exc:
        raise InvalidInput(f"credentials.key_file: can't read {path}: {exc.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"credentials.key_file: {path} holds something else than keys") from None
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


class KeyRing:
    """Implements the protocol ``Cipher`` of the model.

    :raises InvalidInput: no keys, or one that is none. :raises MissingDependency: ``cryptography`` is not installed.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - optional
        except ModuleNotFoundError:
            raise MissingDependency("credentials need a package: pip install 'fleetd[credentials]'") from None
        self._keys = {}
        for key in keys:
            raw = _decode(key)
            if len(raw) != 32:
                raise InvalidInput("credentials: a key is not 32 bytes in base64; `fleetd credential key` makes one")
            self._keys[hashlib.sha256(raw).hexdigest()[:12]] = AESGCM(raw)
        if not self._keys:
            raise InvalidInput("credentials: no key; `fleetd credential key` makes one")
        self._first = next(iter(self._keys))

    def encrypt(self, plain: str, context: str) -> str:
        nonce = secrets.token_bytes(_NONCE)
        text = self._keys[self._first].encrypt(nonce, plain.encode(), context.encode())
        return f"v1:{self._first}:{base64.b64encode(nonce + text).decode()}"

    def decrypt(self, secret: str, context: str) -> str:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - optional

        version, _colon, rest = secret.partition(":")
        name, _colon, text = rest.partition(":")
        key = self._keys.get(name)
        if version != "v1" or key is None:
            raise InvalidInput(
                f"credential {context}: it was encrypted with key {name[:12]!r}, which is not configured"
            )
        raw = _decode(text)
        try:
            return key.decrypt(raw[:_NONCE], raw[_NONCE:], context.encode()).decode()
        except (InvalidTag, ValueError):
            raise InvalidInput(f"credential {context}: the stored secret was changed outside of this server") from None

    def current(self, secret: str) -> bool:
        """Whether the first key made it."""
        return secret.startswith(f"v1:{self._first}:")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
