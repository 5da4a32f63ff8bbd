# SPDX-License-Identifier: BSD-2-Clause

"""The kernel's device of a BMC (``linux/ipmi.h``): asks what :mod:`fleetcore.ipmi.answers` wants to know, and writes it
down.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import select
import struct
import time
from collections.abc import Sequence
from typing import Optional

from ..errors import NotFound, ParseError, PermissionDenied, TimedOut, TransientError
from ..ports import CommandResult
from .answers import conduct, line

DEVICES = ("/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0")
# Native sizes and alignment: struct ipmi_req (address, its length, message id, struct ipmi_msg: network function,
# command, length, data), ipmi_recv (type first), ipmi_system_interface_addr.
REQUEST = struct.Struct("@PIlBBHP")
RECEIVED = struct.Struct("@iPIlBBHP")
ADDRESS = struct.Struct("@ihBx")
_SYSTEM_INTERFACE = ADDRESS.pack(0x0C, 0x0F, 0)
_RESPONSE = 1
_ROOM = 1024  # the kernel's longest message has 272 bytes
# asm-generic/ioctl.h, and how some have it otherwise.
_READ, _WRITE, _SHIFT = (2, 4, 29) if os.uname().machine.startswith(("ppc", "mips", "sparc")) else (2, 1, 30)
RECEIVE_MSG_TRUNC = (_READ | _WRITE) << _SHIFT | RECEIVED.size << 16 | ord("i") << 8 | 11
SEND_COMMAND = _READ << _SHIFT | REQUEST.size << 16 | ord("i") << 8 | 13


def talk(argv: Sequence[str], timeout: float) -> CommandResult:
    """The conversation as a tool would print it. ``rc`` is None if the BMC did not answer, or not all in ``timeout``
    seconds.

    :raises NotFound: there is no such device. :raises PermissionDenied: only root may. :raises TransientError: it can't
        be opened.
    """
    end = time.monotonic() + timeout
    handle = _opened()
    lines: list[str] = []
    problems: Sequence[str] = ()
    code: Optional[int] = 0

    def answer(request: bytes) -> bytes:
        lines.append(line(request, b""))
        found = _asked(handle, len(lines), request, end)
        lines[-1] = line(request, found)
        return found

    try:
        _device, problems = conduct(answer)
    except TimedOut:
        code = None
    except ParseError as error:
        code = None if error.details.get("silent") else 1
    except OSError as error:
        problems = (f"{argv[0]}: {error.strerror}",)
    finally:
        os.close(handle)
    code = 1 if problems else code
    return CommandResult(tuple(argv), code, "".join(f"{item}\n" for item in lines), "; ".join(problems))


def _opened() -> int:
    for path in DEVICES:
        try:
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except PermissionError:
            raise PermissionDenied(f"{path}: permission denied (only root may ask the BMC)", path=path) from None
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENODEV, errno.ENXIO):
                raise TransientError(f"{path}: {error.strerror}", path=path) from None
    raise NotFound(
        f"there is no {DEVICES[0]}: no BMC, or its drivers (ipmi_si or ipmi_ssif, and ipmi_devintf) are not loaded",
        path=DEVICES[0],
    )


def _asked(handle: int, number: int, request: bytes, end: float) -> bytes:
    """The answer to one command, from the completion code on. Late answers to others are passed over.

    :raises TimedOut: none came until ``end``. :raises OSError: the driver refuses.
    """
    address, data = array.array("B", _SYSTEM_INTERFACE), array.array("B", request[2:] or b"\0")
    where = (*address.buffer_info(), number, request[0], request[1], len(request) - 2, data.buffer_info()[0])
    fcntl.ioctl(handle, SEND_COMMAND, REQUEST.pack(*where))
    waiting = select.poll()
    waiting.register(handle, select.POLLIN)
    sender, answer = array.array("B", bytes(64)), array.array("B", bytes(_ROOM))
    while True:
        rest = end - time.monotonic()
        if rest <= 0 or not waiting.poll(rest * 1000):
            raise TimedOut("the BMC does not answer")
        into = bytearray(RECEIVED.pack(0, *sender.buffer_info(), 0, 0, 0, _ROOM, answer.buffer_info()[0]))
        try:
            fcntl.ioctl(handle, RECEIVE_MSG_TRUNC, into, True)
        except BlockingIOError:  # somebody else's
            continue
        kind, _address, _length, found, _netfn, _command, count, _data = RECEIVED.unpack(into)
        if kind == _RESPONSE and found == number:
            return answer[:count].tobytes()
