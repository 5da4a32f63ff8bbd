# SPDX-License-Identifier: BSD-2-Clause

"""Records and replays IPMI at the level of its commands: below pyghmi's reading of records, and above its login.

Both are sessions as pyghmi's ``Command`` uses them, so that one reader makes a document of the answers, live and
offline.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Protocol

# In place of a command. The first login is never in a capture: without it there is none.
_LOGIN_AGAIN = {"login": "again"}
_UNKNOWN = {"code": 0xC1, "error": "not in the capture"}


class Transcript(Protocol):
    """What takes a conversation down, for example a capture of the BMC."""

    def add_command(self, request: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Take down one command and its answer: ``data`` in hexadecimal, ``code`` and ``error``, or ``raised``."""


def record_login(record: Transcript, raised: Optional[str] = None) -> None:
    """Take down that a lost session was replaced, or pyghmi's words why it could not be."""
    record.add_command(_LOGIN_AGAIN, {} if raised is None else {"raised": raised})


def record_late(record: Transcript, section: str) -> None:
    """Take down that the deadline was reached before ``section`` was read."""
    record.add_command({"late": section}, {})


class RecordingSession:
    """A pyghmi session that writes down each command with what came of it."""

    def __init__(self, session: Any, record: Transcript) -> None:
        self._session = session
        self._record = record

    def raw_command(self, **request: Any) -> Any:
        asked = _described(request)
        try:
            answer = self._session.raw_command(**request)
        except Exception as error:
            self._record.add_command(asked, {"raised": str(error)})
            raise
        said = {name: answer[name] for name in ("code", "error") if name in answer}
        self._record.add_command(asked, {**said, "data": bytes(answer.get("data") or b"").hex()})
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


class ReplayedSession:
    """A pyghmi session that answers out of a recording. A command that comes again gets its next answer of then.

    :param failure: makes the exception that pyghmi raises, of its words.
    """

    def __init__(self, commands: Iterable[Mapping[str, Any]], failure: Any) -> None:
        self._failure = failure
        self._answers: dict[str, deque[Mapping[str, Any]]] = {}
        for item in commands:
            answer = item.get("answer")
            if isinstance(answer, Mapping):
                self._answers.setdefault(_key(item), deque()).append(answer)

    def raw_command(self, **request: Any) -> dict[str, Any]:
        asked = _described(request)
        answer = self._next(asked, _UNKNOWN)
        try:
            data = bytearray.fromhex(str(answer.get("data") or ""))
        except ValueError:
            data = bytearray()
        said = {name: answer[name] for name in ("code", "error") if name in answer}
        return {**said, "netfn": asked["netfn"] + 1, "command": asked["command"], "data": data}

    def log_in_again(self) -> None:
        """After a session was lost: raises what pyghmi raised then."""
        self._next(_LOGIN_AGAIN, {})

    def was_late(self, section: str) -> bool:
        """Whether the deadline was reached before ``section`` then."""
        return _key({"late": section}) in self._answers

    def _next(self, asked: Mapping[str, Any], unknown: Mapping[str, Any]) -> Mapping[str, Any]:
        left = self._answers.get(_key(asked))
        answer = unknown if not left else left.popleft() if len(left) > 1 else left[0]
        if "raised" in answer:
            raise self._failure(str(answer["raised"]))
        return answer

    def logout(self) -> None:
        """There is nobody to log out of."""


def _described(request: Mapping[str, Any]) -> dict[str, Any]:
    asked = {
        "netfn": int(request["netfn"]),
        "command": int(request["command"]),
        "lun": int(request.get("rslun") or 0),
        "data": bytes(request.get("data") or b"").hex(),
    }
    bridge = request.get("bridge_request")
    return {**asked, "bridge": bridge} if bridge else asked


def _key(asked: Mapping[str, Any]) -> str:
    return json.dumps(
        [asked.get(name) for name in ("netfn", "command", "lun", "data", "bridge", "login", "late")], default=str
    )
