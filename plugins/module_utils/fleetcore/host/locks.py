# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Locks that processes of one host share, whoever started them: forks of a playbook, several playbooks, a runner."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterable, Iterator
from typing import Optional

from ..errors import Busy, InvalidInput
from ..ports import Clock
from .files import safe_name

FOLDER_VARIABLE = "FLEET_LOCK_DIR"
_SHARED = "/run/lock"
_POLL_SECONDS = 0.25


class FileLocks:
    """Locks as ``flock`` on files, which the kernel gives back when a process dies.

    The files are empty, stay where they are, and are readable by everybody, so that processes of other users wait too.

    :param folder: None: that of the environment variable ``FLEET_LOCK_DIR``, else /run/lock, else the folder of
        temporary files.
    """

    def __init__(self, clock: Clock, folder: Optional[str] = None) -> None:
        self._clock = clock
        self._folder = folder or os.environ.get(FOLDER_VARIABLE) or _default_folder()

    @contextlib.contextmanager
    def hold(self, names: Iterable[str], timeout: float) -> Iterator[bool]:
        end = self._clock.monotonic() + timeout
        waited = False
        with contextlib.ExitStack() as held:
            # In one order everywhere: two that want the same two never wait for each other.
            for name in sorted(set(names)):
                handle = self._open(name)
                held.callback(os.close, handle)
                while not _taken(handle):
                    if self._clock.monotonic() >= end:
                        raise Busy(
                            f"{name} is still in use by another process of this host after {timeout:g} s", lock=name
                        )
                    waited = True
                    self._clock.sleep(_POLL_SECONDS)
            yield waited

    def _open(self, name: str) -> int:
        path = os.path.join(self._folder, f"baremetal.fleet.{safe_name(name)}.lock")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            while True:
                # Not O_CREAT at once: kernels refuse that in a shared folder for a file of another user.
                with contextlib.suppress(FileNotFoundError):
                    return os.open(path, flags)
                with contextlib.suppress(FileExistsError):
                    handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
                    os.fchmod(handle, 0o644)  # whatever the umask is
                    return handle
        except OSError as error:
            raise InvalidInput(
                f"{FOLDER_VARIABLE}: the lock {path} can't be made ({(error.strerror or str(error)).lower()})",
                field=FOLDER_VARIABLE,
                path=path,
            ) from error


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _default_folder() -> str:
    return _SHARED if os.access(_SHARED, os.W_OK | os.X_OK) else tempfile.gettempdir()
