# Copyright: (c) 2026, The baremetal.fleet authors
# BSD 2-Clause License (see LICENSES/BSD-2-Clause.txt or https://opensource.org/licenses/BSD-2-Clause)
# SPDX-License-Identifier: BSD-2-Clause

"""Finding BMCs in networks that are named explicitly, without logging in anywhere.

===================  =======================================================================================================
``targets.py``       networks, ranges and addresses -> addresses, with a bound
``rmcp.py``          IPMI over LAN: what is sent and what comes back before a login; bytes only
``ssdp.py``          the search for Redfish services on the local network; bytes only
``service_root.py``  one HTTP exchange and what a service root says; bytes only
``scanner.py``       sends and receives it all: asyncio, rate-limited
===================  =======================================================================================================
"""
