# SPDX-License-Identifier: BSD-2-Clause

"""Device documents: what was seen of a machine, by source."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional
from urllib.parse import quote

from .base import PAGE, Api, given, machine_path, with_query


class Devices(Api):
    """``/api/v1/devices`` and ``/api/v1/machines/{id}/device``"""

    def publish_device(self, machine: str, document: Mapping[str, Any], source: str) -> dict[str, Any]:
        """Publish one observation; ``{"changed": bool, "changes": number}``. Publishing the same again changes nothing.

        :param source: ``oob`` or ``inband``.
        :raises InvalidInput: the server does not accept the document; ``details["field"]`` is the place.
        """
        path = f"{machine_path(machine)}/device/{quote(source, safe='')}"
        answer = self._object("PUT", path, dict(document))
        if not isinstance(answer.get("changed"), bool):
            raise self._not_ours(path, 'an object with "changed"')
        return answer

    def publish_devices(self, documents: Sequence[tuple[str, Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """Publish many in one call: pairs of machine id and document. One result per pair, in order, failures included.

        Repeated on transient errors: each document replaces the one before of its machine and source.
        """
        path = "/api/v1/devices"
        items = [{"machine": machine, "device": dict(document)} for machine, document in documents]
        answer = self._object("POST", path, {"items": items}, repeat=True).get("items")
        if not isinstance(answer, list) or len(answer) != len(items):
            raise self._not_ours(path, f"results for {len(items)} documents")
        return answer

    def device(self, machine: str, source: Optional[str] = None) -> dict[str, Any]:
        """The device document, merged from all sources or of the one named.

        :raises NotFound: no such machine, or nothing was published for it.
        """
        return self._object("GET", with_query(machine_path(machine) + "/device", given(source=source)))

    def findings(self, machine: str) -> list[dict[str, Any]]:
        """Contradictions about a machine, ``[{"id", "kind", "severity", "component", "accepted", ...}]``.

        :raises NotFound: no such machine.
        """
        return self._list("GET", machine_path(machine) + "/device/findings")

    def accept_finding(self, machine: str, finding: str, reason: str) -> dict[str, Any]:
        """Let a finding be, and return it. Again with the same reason changes nothing.

        :raises NotFound: the machine has no such finding now.
        """
        return self._object("PUT", _acceptance(machine, finding), {"reason": reason})

    def reopen_finding(self, machine: str, finding: str) -> dict[str, Any]:
        """Take back that a finding was accepted, and return it.

        :raises NotFound: the machine has no such finding now.
        """
        return self._object("DELETE", _acceptance(machine, finding))

    def device_history(self, machine: str, page: int = PAGE) -> Iterator[dict[str, Any]]:
        """Observations that changed something: ``{"at", "source", "changes"}``, newest first."""
        return self._pages(machine_path(machine) + "/device/history", [], page)


def _acceptance(machine: str, finding: str) -> str:
    return f"{machine_path(machine)}/device/findings/{quote(finding, safe='')}/acceptance"
