# SPDX-License-Identifier: BSD-2-Clause

"""Changes a password and locks nobody out: it is written, tried by a login, and put back when that login fails."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Callable, Optional

from ..errors import FleetError, NotVerified, TransientError
from ..ports import Clock

_POLL_SECONDS = 2.0
_REFUSED = (409, 429, 503)  # HTTP: nothing was done, and no login with the new password is spent on it


@dataclass(frozen=True)
class Rotation:
    """How a password of one account is written and tried.

    A login that is refused is tried once more, and not again: BMCs lock accounts, and block addresses, after three.

    :ivar write: sets a password over the connection that is open.
    :ivar log_in: tells whether a new login with a password is let in; a ``TransientError``: nobody can tell now.
    :ivar unlock: called before the second login: others who still use the old password may have locked the account.
    :ivar pause: seconds that a new password may take until it counts; ``patience``: seconds for a BMC that does not
        answer (it may be restarting) to do so again.
    """

    host: str
    account: str
    clock: Clock
    write: Callable[[str], None]
    log_in: Callable[[str], bool]
    unlock: Callable[[], None]
    pause: float = 5.0
    patience: float = 300.0

    def run(self, new: str, old: Optional[str]) -> None:
        """Change the password to ``new``.

        :param old: what is put back; None: it is not known.
        :raises FleetError: it is not changed. ``details["restored"]`` is true when ``old`` works, false when that was
            tried and it does not, None when nobody could tell; ``details["valid"]`` is ``old`` or ``unknown``.

        Interrupted before the new password was seen to work, it puts the old one back.
        """
        try:
            self._run(new, old)
        except FleetError:
            raise
        except BaseException:
            self._restore(old)
            raise

    def _run(self, new: str, old: Optional[str]) -> None:
        failure: Optional[FleetError] = None
        try:
            self.write(new)
        except FleetError as error:
            if not isinstance(error, TransientError) or error.details.get("status") in _REFUSED:
                raise self._said(error, self._works_now(old), "The old password still works") from error
            failure = error  # it may have happened
        try:
            self.must_work(new, "the BMC accepted the new password, and a login with it does not work")
        except FleetError as error:
            failure = failure or error
        else:
            return
        raise self._said(failure, self._restore(old))

    def must_work(self, password: str, words: str) -> None:
        """A new login with a password.

        :raises NotVerified: it is refused. The last error, when the BMC never said.
        """
        if self._works(password):
            return
        self.unlock()
        self.clock.sleep(self.pause)
        if not self._works(password):
            raise NotVerified(f"{self.host}: {words}", account=self.account)

    def _works(self, password: str) -> bool:
        """Whether a login is let in, once somebody answers."""
        end = self.clock.monotonic() + self.patience
        while True:
            try:
                return self.log_in(password)
            except TransientError:
                if self.clock.monotonic() >= end:
                    raise
                self.clock.sleep(_POLL_SECONDS)

    def _works_now(self, password: Optional[str]) -> Optional[bool]:
        try:
            return None if password is None else self._works(password)
        except FleetError:
            return None

    def _restore(self, old: Optional[str]) -> Optional[bool]:
        if old is None:
            return None
        with contextlib.suppress(FleetError):  # perhaps it never changed: the login tells
            self.write(old)
        works = self._works_now(old)
        if works is False:
            self.unlock()
            self.clock.sleep(self.pause)
            works = self._works_now(old)
        return works

    def _said(
        self, failure: FleetError, restored: Optional[bool], well: str = "The old password was put back and works"
    ) -> FleetError:
        """The failure, with which password holds now."""
        words = {
            True: well,
            False: "THE OLD PASSWORD COULD NOT BE PUT BACK: log in with either and check",
            None: "The old password is not known, or nobody answered, and it was not seen to work: log in with either "
            "and check",
        }
        failure.details["restored"] = restored
        failure.details["valid"] = "old" if restored else "unknown"
        failure.message = f"{failure.message}. {words[restored]}"
        return failure
