# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module of the same name and shows what it writes into its progress file while it runs."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any, Optional, TextIO

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

POLL_SECONDS = 0.5
display = Display()


class ActionModule(ActionBase):
    TRANSFERS_FILES = False
    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: Optional[dict[str, Any]] = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        background = bool(self._task.async_val) and not self._connection.has_native_async
        own = None
        # Elsewhere the file can't be read, in the background there is nobody to show it to.
        here = self._connection.transport == "local" and not background and not self._task.check_mode
        if here and not arguments.get("progress_file"):
            descriptor, own = tempfile.mkstemp(prefix="bmc_sweep-", suffix=".progress")
            os.close(descriptor)
            arguments["progress_file"] = own
        showing = following(os.path.expanduser(str(arguments["progress_file"])), display.display) if here else None
        try:
            with showing or contextlib.nullcontext():
                done = self._execute_module(module_args=arguments, task_vars=task_vars or {}, wrap_async=background)
            result.update(done)
        finally:
            if own is not None:
                os.unlink(own)
            if not background:
                self._remove_tmp_path(self._connection._shell.tmpdir)
        if own is not None:
            result.get("invocation", {}).get("module_args", {}).pop("progress_file", None)
        return result


@contextlib.contextmanager
def following(path: str, show: Callable[[str], None]) -> Iterator[None]:
    """Show, in a thread, what is added to a progress file from now on; at the end the rest."""
    begin = os.path.getsize(path) if os.path.exists(path) else 0
    over = threading.Event()
    thread = threading.Thread(target=_follow, args=(path, begin, over, show), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10)


def _follow(path: str, begin: int, over: threading.Event, show: Callable[[str], None]) -> None:
    file: Optional[TextIO] = None
    rest = ""
    with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
        last = False
        while not last:
            last = over.wait(POLL_SECONDS)
            if file is None and os.path.exists(path):
                file = stack.enter_context(open(path, encoding="utf-8", errors="replace"))
                file.seek(begin)
            if file is not None:
                *lines, rest = (rest + file.read()).split("\n")
                for words in filter(None, map(sentence, lines)):
                    show(words)


def sentence(line: str) -> str:
    """Turn a line of the progress file into words for a person; empty if there is nothing to say."""
    try:
        entry = json.loads(line)
        event = entry["event"]
        if event == "failure":
            return f"  sweep: {entry['machine']} failed ({entry['code']}): {entry['message'][:200]}"
        if event in ("progress", "end"):
            left = entry.get("seconds_left")
            more = f", about {left:.0f} s left" if left and event == "progress" else ""
            return (
                f"  sweep: {entry['done']} of {entry['total']} done in {entry['seconds']:.0f} s, "
                f"{entry['failed']} failed, {entry['published']} published, {entry['running']} running{more}"
            )
        if event == "stopping":
            return f"  sweep: stopping, logging out of {entry['running']} BMCs"
        return f"  sweep: {entry['message']}"
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
