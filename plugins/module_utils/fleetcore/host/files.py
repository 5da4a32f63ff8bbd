# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Files that hold what was seen of a machine: written whole or not at all, readable by their owner only."""

from __future__ import annotations

import contextlib
import os
import tempfile
from urllib.parse import quote

from ..errors import InvalidInput


def write_private(path: str, data: bytes, field: str = "path") -> None:
    """Write a file atomically with mode 0600. What stood there before is replaced; a reader sees the old file or the new one.

    :param field: the option that named the path, for the error.
    :raises InvalidInput: the folder does not exist or can't be written, or the path is a folder.
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = None
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(21, "is a directory")
        handle, temporary = tempfile.mkstemp(prefix=f".{name[:100]}.", dir=folder)  # mode 0600
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
        temporary = None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(f"{field}: {path} can't be written ({reason.lower()})", field=field, path=path) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def safe_name(name: str, keep: str = "") -> str:
    """A name as one file name: slashes and other specials percent-encoded, never hidden, never a path, at most 200 characters.

    :param keep: special characters that stay as they are.
    """
    quoted = quote(name, safe=keep)
    quoted = "%2E" + quoted[1:] if quoted.startswith(".") else quoted
    return quoted[:200] or "_"
