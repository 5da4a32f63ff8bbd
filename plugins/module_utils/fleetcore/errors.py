# SPDX-License-Identifier: BSD-2-Clause

"""Errors named after the operator's problem.

The class is the retry policy: :class:`FatalError` is never retried (credentials, settings, a missing tool), a
:class:`TransientError` may pass. ``code`` is stable and meant for playbooks, the message for a person.
"""

from __future__ import annotations

from typing import Any


class FleetError(Exception):
    """Base of all errors of the project.

    :param message: one line for a person: what went wrong, where, and what to do about it. Never a secret.
    :param details: JSON-compatible facts for a playbook (``address``, ``field``, ``status``, ...). Never a secret.
    """

    code = "failed"

    def __init__(self, message: str, /, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return self.message  # which may have been added to on its way

    def to_dict(self) -> dict[str, Any]:
        """The ``failure`` of a module's result and the ``error`` of an HTTP answer: ``{code, message, details}``."""
        return {"code": self.code, "message": self.message, "details": self.details}


class ParseError(FleetError):
    """A tool, BMC or user sent something that is not what its format says; ``details["field"]`` names the place."""

    code = "parse_error"


class InvalidInput(FleetError):
    """An option or field has a value that can't be used; the message names the field and the fix."""

    code = "invalid_input"

    @classmethod
    def of(cls, field: str, message: str) -> InvalidInput:
        """The error of one option or field, whose name begins the message and is ``details["field"]``."""
        return cls(f"{field}: {message}", field=field)

    @classmethod
    def of_path(cls, field: str, path: str, what: str, error: OSError) -> InvalidInput:
        """The error of an option that names a path with which the system could not do ``what``."""
        return cls(f"{field} {path}: can't be {what} ({(error.strerror or str(error)).lower()})", field=field)


class NotFound(FleetError):
    """The machine, system or resource that was named does not exist."""

    code = "not_found"


class ConflictError(FleetError):
    """Somebody else holds or changed it: a lost If-Match, a second claim, a name that is taken."""

    code = "conflict"


class NotVerified(FleetError):
    """The device accepted an action and its read-back says that nothing happened."""

    code = "not_verified"


class Unsupported(FleetError):
    """The device says that it can't do this."""

    code = "unsupported"


class MissingDependency(FleetError):
    """A Python package or a tool is not installed where it is needed; the message says how to install it."""

    code = "missing_dependency"


class TransportError(FleetError):
    """Talking to a BMC, host or server failed."""

    code = "transport_error"


class FatalError(TransportError):
    """Trying again would not help, and might lock an account: never retried."""

    code = "fatal"


class TransientError(TransportError):
    """Trying again may help."""

    code = "transient"


class AuthenticationFailed(FatalError):
    """User name, password or token refused. Not retried: BMCs lock accounts."""

    code = "authentication_failed"


class PermissionDenied(FatalError):
    """The login worked, but this account may not do this."""

    code = "permission_denied"


class PasswordChangeRequired(FatalError):
    """The login worked, and the BMC allows nothing before the account's password was changed.

    ``details["account"]`` is the path of the account, where the BMC names it.
    """

    code = "password_change_required"


class CertificateInvalid(FatalError):
    """TLS verification failed: self-signed, expired, wrong name, or another fingerprint than the pinned one."""

    code = "certificate_invalid"


class WrongMachine(FatalError):
    """What answers is another machine than the one that was meant: nothing was done."""

    code = "wrong_machine"


class Unreachable(TransientError):
    """No connection: refused, no route, name not resolved."""

    code = "unreachable"


class TimedOut(TransientError):
    """No answer within the time-out; ``details["seconds"]`` is the limit that was met."""

    code = "timeout"


class SessionLimit(TransientError):
    """The BMC has no session left: log others out, or wait until they expire."""

    code = "session_limit"


class Busy(TransientError):
    """The service answered that it can't take this now (HTTP 429, 503; a job runs)."""

    code = "busy"


class BadResponse(TransientError):
    """An answer that is not what the protocol says: truncated, not JSON, an unexpected status."""

    code = "bad_response"
