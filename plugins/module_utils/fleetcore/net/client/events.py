# SPDX-License-Identifier: BSD-2-Clause

"""Events of machines and the description that the server makes of them, on ``/json/v1``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from ...errors import TransportError
from ...ports import HttpRequest, HttpResponse, HttpStreams
from .base import Api, check_id, tail

_REFUSAL_LINES = 50  # read of a stream's answer that is an error


class Events(Api):
    """``/json/v1/machine``"""

    def description(self, machine: str) -> dict[str, Any]:
        """Read the machine's Description, with Go's field names (``PowerCycle``, ``Dimensions``, ...).

        :raises NotFound: no such machine. (Other servers answer 500, which is ``BadResponse``.)
        """
        return self._object("GET", f"/json/v1/machine/description/{tail(machine)}")

    def post_event(self, event: Mapping[str, Any]) -> None:
        """Tell what a machine monitor saw: ``{"type": "raw_state", "host": {"name", ...}, "standalone": {...}, ...}``.

        Sent once: the caller keeps what did not arrive. Events may arrive twice without harm.
        """
        self._send("POST", "/json/v1/machine/event/", dict(event))

    def description_updates(self, machine: str, streams: HttpStreams, quiet: float) -> Iterator[None]:
        """Yield once when the server listens, and then whenever the machine's description changed.

        Ends when the server ends it; changes between two calls are not told, so look at the description after each
        item.

        :param streams: transport whose base is ``url``.
        :param quiet: seconds without a sign of life, if only a comment, after which the connection counts as lost.
        :raises FleetError: the server refuses, or the connection broke.
        """
        path = "/json/v1/machine/sse/description/updated?" + urlencode({"stream": check_id(machine)})
        headers = {"Accept": "text/event-stream", **self._authorization()}
        try:
            stream = streams.stream(HttpRequest("GET", path, headers, None, self._timeout), quiet)
            try:
                if stream.status != 200:
                    body = b"".join(itertools.islice(stream.lines, _REFUSAL_LINES))
                    raise self._error(HttpResponse(stream.status, stream.headers, body), path)
                yield None
                for line in stream.lines:
                    if line.startswith(b"data:"):
                        yield None
            finally:
                stream.close()
        except TransportError as error:
            if "url" in error.details:  # of an answer, and named already
                raise
            raise self._named(error) from error
