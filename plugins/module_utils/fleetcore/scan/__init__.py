# SPDX-License-Identifier: BSD-2-Clause

"""Finding BMCs in networks that are named explicitly, without logging in anywhere.

===================  ==============================================================================================
``model.py``         what is scanned, how gently, and what was found
``targets.py``       networks, ranges and addresses -> addresses, with a bound
``rmcp.py``          IPMI over LAN: what is sent and what comes back before a login; bytes only
``ssdp.py``          the search for Redfish services on the local network; bytes only
``service_root.py``  what a service root says; no input or output
``sockets.py``       datagrams to many addresses, the search by multicast, TLS that only looks
``scanner.py``       sends the probes and collects the answers: asyncio, rate-limited
===================  ==============================================================================================
"""
