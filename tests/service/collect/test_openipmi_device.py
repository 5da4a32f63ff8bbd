# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the kernel wants to be asked for a BMC, against its own header.

With a kernel and a BMC: tests/e2e/test_host_and_bmc.py.
"""

from __future__ import annotations

import os
import platform
import struct
import subprocess

import pytest
from fleetcore.errors import NotFound, TransientError
from fleetcore.inband.collect import commands, host
from fleetcore.ipmi import device as openipmi

ASSERTIONS = """
#include <stddef.h>
#include <linux/ioctl.h>
#include <linux/ipmi.h>
_Static_assert(sizeof(struct ipmi_req) == {request}, "request");
_Static_assert(offsetof(struct ipmi_req, msgid) == {request_number}, "its number");
_Static_assert(offsetof(struct ipmi_req, msg.data) == {request} - sizeof(void *), "its data");
_Static_assert(sizeof(struct ipmi_recv) == {received}, "received");
_Static_assert(offsetof(struct ipmi_recv, msgid) == {received_number}, "its number");
_Static_assert(offsetof(struct ipmi_recv, msg.data_len) == {received} - 2 * sizeof(void *) + 2, "its length");
_Static_assert(sizeof(struct ipmi_system_interface_addr) == {address}, "address");
_Static_assert(IPMICTL_SEND_COMMAND == {send}u, "send");
_Static_assert(IPMICTL_RECEIVE_MSG_TRUNC == {receive}u, "receive");
"""
X86 = platform.machine() == "x86_64"


@pytest.mark.parametrize(
    "bits",
    [
        pytest.param((), id="this machine's"),
        pytest.param(
            ("-m32", "-I/usr/include/x86_64-linux-gnu"),
            id="32 bits",
            marks=pytest.mark.skipif(not X86, reason="the compiler makes code for x86 with 32 bits on x86-64 only"),
        ),
    ],
)
def test_structures_and_numbers_are_the_kernels(tmp_path, bits):
    def size(form: str) -> int:
        """Of pointers and longs of 32 bits, an int is what has their size and alignment."""
        return struct.calcsize(form.replace("P", "I").replace("l", "i") if bits else form)

    request, received = openipmi.REQUEST.format, openipmi.RECEIVED.format
    mask = 0x3FFF << 16  # where the number has the size
    program = tmp_path / "layout.c"
    program.write_text(
        ASSERTIONS.format(
            request=size(request),
            request_number=size(request.partition("l")[0] + "0l"),
            received=size(received),
            received_number=size(received.partition("l")[0] + "0l"),
            address=openipmi.ADDRESS.size,
            send=openipmi.SEND_COMMAND & ~mask | size(request) << 16,
            receive=openipmi.RECEIVE_MSG_TRUNC & ~mask | size(received) << 16,
        )
    )
    done = subprocess.run(["gcc", *bits, "-fsyntax-only", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_device(monkeypatch, tmp_path):
    monkeypatch.setattr(openipmi, "DEVICES", (str(tmp_path / "ipmi0"), str(tmp_path / "ipmi0" / "0")))
    with pytest.raises(NotFound, match=r"there is no .*ipmi0.*drivers"):
        host.SystemRunner().run(commands.OPENIPMI, 5)


def test_what_is_no_bmc(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setattr(openipmi, "DEVICES", (str(tmp_path / "file"),))
    found = host.SystemRunner().run(commands.OPENIPMI, 5)
    assert (found.rc, found.stdout) == (1, "06 01 > \n")
    assert os.strerror(25) in found.stderr  # ENOTTY
    monkeypatch.setattr(openipmi, "DEVICES", (str(tmp_path),))
    with pytest.raises(TransientError):
        host.SystemRunner().run(commands.OPENIPMI, 5)
