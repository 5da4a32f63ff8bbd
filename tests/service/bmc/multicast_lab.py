# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Search by SSDP over real multicast, IPv4 and IPv6, on one end of a virtual cable.

test_scan.py runs it in a network namespace of its own.

Standard input: for each search the options of bmc_scan. Standard output: what the module returned for each, the URLs of
the BMCs at 192.0.2.1 and 2001:db8::1, and how often the members of the multicast groups were asked.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

from fleetlab.farm import BmcSpec, running_farm

GROUPS = {socket.AF_INET: "239.255.255.250", socket.AF_INET6: "ff02::c"}
SERVICE = "urn:dmtf-org:service:redfish-rest:1"


def member(family, url, uuid, heard):
    """A member of the group that answers for a BMC."""
    server = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET:
        server.bind(("", 1900))
        group = socket.inet_aton(GROUPS[family]) + socket.inet_aton("192.0.2.1")
        server.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    else:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.bind(("::", 1900))
        group = socket.inet_pton(family, GROUPS[family]) + struct.pack("@I", socket.if_nametoindex("lab0"))
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, group)
    answer = (
        f"HTTP/1.1 200 OK\r\nST: {SERVICE}:6\r\nUSN: uuid:{uuid}::{SERVICE}:6\r\nAL: {url}/redfish/v1/\r\n\r\n"
    ).encode()

    def serve():
        while True:
            data, sender = server.recvfrom(4096)
            if data.startswith(b"M-SEARCH") and SERVICE.encode() in data:
                heard.append(data)
                server.sendto(answer, sender)

    threading.Thread(target=serve, daemon=True).start()


def main():
    Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")  # addresses can be used at once
    for command in (
        "link set lo up",
        "link add lab0 type veth peer name lab1",
        "link set lab0 up",
        "link set lab1 up",
        "address add 192.0.2.1/24 dev lab0",
        "address add 2001:db8::1/64 dev lab0 nodad",
    ):
        subprocess.run(["ip", *command.split()], check=True)
    searches = json.load(sys.stdin)
    heard = {4: [], 6: []}
    results = []
    with running_farm([BmcSpec(address="192.0.2.1"), BmcSpec(address="2001:db8::1")]) as farm:
        for number, family, bmc in ((4, socket.AF_INET, farm.bmcs[0]), (6, socket.AF_INET6, farm.bmcs[1])):
            member(family, bmc.url, bmc.get("/redfish/v1")["UUID"], heard[number])
        for options in searches:
            arguments = Path("arguments.json").absolute()
            arguments.write_text(json.dumps({"ANSIBLE_MODULE_ARGS": options}))
            command = [
                sys.executable,
                "-m",
                "ansible_collections.baremetal.fleet.plugins.modules.bmc_scan",
                str(arguments),
            ]
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
            results.append(json.loads(done.stdout))
        urls = [bmc.url for bmc in farm.bmcs]
    sys.stdout.write(
        json.dumps({"results": results, "urls": urls, "heard": {key: len(value) for key, value in heard.items()}})
    )


if __name__ == "__main__":
    main()
