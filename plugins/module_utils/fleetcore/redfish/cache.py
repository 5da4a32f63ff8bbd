# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Keeps what one BMC said in an earlier run, with ETags: a resource that has not changed is not sent again.

Only resources that were asked for plainly: the ETag of a collection says nothing about the members that ``$expand``
puts into it. Sections whose resources hold readings are asked for anew in any case (:data:`FRESH`), so that a service
with careless ETags can't give old ones.
"""

from __future__ import annotations

import json
import os
from typing import Optional

from ..host.files import safe_name, write_private

FRESH = frozenset(["system", "power", "thermal", "sensors", "log"])
"""Sections that are never asked for conditionally."""
MAX_BYTES = 16 * 1024 * 1024
"""Of the bodies of one BMC that are kept; real ones have half a megabyte."""
_FORMAT = 1


class Cache:
    """A file with bodies and ETags by URL. A run replaces it by what that run saw, so that it does not grow.

    :param folder: has one file for each BMC. :param bmc: host and port.
    """

    def __init__(self, folder: str, bmc: str) -> None:
        self.path = os.path.join(folder, safe_name(bmc) + ".etags.json")
        self._old = _load(self.path)
        self._new: dict[str, tuple[str, str]] = {}
        self._size = 0

    def etag(self, url: str) -> Optional[str]:
        """To be sent as If-None-Match; None: ask unconditionally."""
        known = self._old.get(url)
        return known[0] if known else None

    def again(self, url: str) -> bytes:
        """The body that the service says has not changed."""
        etag, body = self._old[url]
        self.keep(url, etag, body.encode())
        return body.encode()

    def keep(self, url: str, etag: str, body: bytes) -> None:
        """For the next run."""
        if "?" not in url and self._size + len(body) <= MAX_BYTES:
            self._size += len(body)
            self._new[url] = (etag, body.decode("utf-8", "replace"))

    def save(self) -> None:
        """Write it, readable by its owner only.

        :raises InvalidInput: the folder does not exist or can't be written.
        """
        data = json.dumps({"format": _FORMAT, "resources": self._new}).encode()
        write_private(self.path, data, field="cache_dir")


def _load(path: str) -> dict[str, tuple[str, str]]:
    """Read the file; nothing if there is none, or it is not one of ours."""
    try:
        if os.path.getsize(path) > 4 * MAX_BYTES:
            return {}
        with open(path, encoding="utf-8") as handle:
            content = json.load(handle)
        if content["format"] != _FORMAT:
            return {}
        return {str(url): (str(etag), str(body)) for url, (etag, body) in content["resources"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return {}
