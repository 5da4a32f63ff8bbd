# SPDX-License-Identifier: BSD-2-Clause

"""Secrets out of Redfish JSON, so that a capture can be handed to others. Pure.

What is replaced by :data:`REDACTED`: texts in properties whose name says that they are secret (passwords, tokens,
keys, community strings, session ids), private keys in PEM, logins inside URLs, session ids inside links, and the
values that the caller knows to be secret (the password of the login). User names, by the name of their property,
become ``user-`` and a salted hash: the same user is the same within one capture, and can't be guessed from it.
Numbers, booleans, empty texts and the shape of the tree stay. Free text, such as log messages, stays as it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..document.values import listed

REDACTED = "REDACTED"
MAX_DEPTH = 64
"""Deeper JSON is cut off; no real resource comes near."""

# In property names, lower case, letters and digits only.
_SECRET_NAMES = ("key", "setup001", "setup002")  # AMI numbers its BIOS attributes: these are the two passwords
_SECRET_PARTS = ("password", "passphrase", "passwd", "secret", "token", "communit")
_SECRET_ENDS = (
    "accesskey",
    "apikey",
    "authenticationkey",
    "authkey",
    "credential",
    "credentials",
    "encryptionkey",
    "hostkey",
    "ipmikey",
    "keytab",
    "kgkey",
    "licencekey",
    "licensekey",
    "licensestring",
    "masterkey",
    "privacykey",
    "privatekey",
    "productkey",
    "recoverykey",
    "sessionid",
    "sessionkey",
    "sharedkey",
    "snmpkey",
    "sshkey",
    "v3key",
)
_USER_ENDS = ("username", "accountname", "loginname", "userid")
_FLAGS = listed("enabled disabled enable disable yes no on off true false set notset installed notinstalled required")
_LETTERS = re.compile(r"[^a-z0-9]")
_PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL)
_LOGIN_IN_URL = re.compile(r"(://)[^/@\s]+@")
_SESSION_IN_LINK = re.compile(r"(/Sessions/(?:Members/)?)(?!Members\b)[^/?#\s\"]+", re.IGNORECASE)
_LEAST_KNOWN = 6  # shorter passwords would be found everywhere


def is_flag(value: Any) -> bool:
    """Whether a value is a number, or says no more than yes or no. It is no secret, whatever the property is called."""
    return isinstance(value, (bool, int, float)) or (
        isinstance(value, str) and _LETTERS.sub("", value.lower()) in _FLAGS
    )


def is_secret(name: str, value: Any = None) -> bool:
    """Tell whether a property of this name holds a secret. Actions (``#...``) and annotations (``...@...``) don't."""
    if name.startswith("#") or "@" in name or is_flag(value):
        return False
    plain = _LETTERS.sub("", name.lower())
    return plain in _SECRET_NAMES or plain.endswith(_SECRET_ENDS) or any(part in plain for part in _SECRET_PARTS)


class Redactor:
    """:param known: secret values to be found wherever they stand. :param salt: for the hashes of user names.

    :ivar count: how many values were replaced so far.
    """

    def __init__(self, known: Iterable[str] = (), salt: bytes = b"") -> None:
        self._known = tuple(sorted((item for item in known if len(item) >= _LEAST_KNOWN), key=len, reverse=True))
        self._salt = salt
        self.count = 0

    def clean(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A copy of a resource without its secrets."""
        return self._object(body, False, 0)

    def text(self, value: str, known: bool = True) -> str:
        """A text, or a URL, without the secrets inside of it; with ``known`` false, links that must still lead
        somewhere."""
        out = _PEM.sub(REDACTED, value) if "PRIVATE KEY-----" in value else value
        out = _LOGIN_IN_URL.sub(rf"\1{REDACTED}@", out) if "://" in out else out
        out = _SESSION_IN_LINK.sub(rf"\1{REDACTED}", out) if "/" in out else out
        for word in self._known if known else ():
            out = out.replace(word, REDACTED)
        self.count += out != value
        return out

    def _object(self, body: Mapping[str, Any], secret: bool, depth: int) -> dict[str, Any]:
        return {name: self._value(name, value, secret, depth + 1) for name, value in body.items()}

    def _value(self, name: str, value: Any, secret: bool, depth: int) -> Any:
        secret = (secret and not name.startswith("@")) or is_secret(name)
        if isinstance(value, Mapping):
            return self._object(value, secret, depth) if depth < MAX_DEPTH else None
        if isinstance(value, list):
            return [self._value(name, item, secret, depth + 1) for item in value] if depth < MAX_DEPTH else None
        if not isinstance(value, str) or not value:
            return value
        secret = secret and not is_flag(value)
        if secret or _is_user(name):
            self.count += 1
            return REDACTED if secret else self._pseudonym(value)
        return self.text(value, known="@" not in name)

    def _pseudonym(self, user: str) -> str:
        return "user-" + hashlib.sha256(self._salt + user.encode(errors="surrogatepass")).hexdigest()[:12]


def _is_user(name: str) -> bool:
    return "@" not in name and _LETTERS.sub("", name.lower()).endswith(_USER_ENDS)
