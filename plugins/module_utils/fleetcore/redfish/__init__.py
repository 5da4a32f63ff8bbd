# SPDX-License-Identifier: BSD-2-Clause

"""Redfish, from links to the device document.

What a BMC has, as a device document:

- ``topics/``: one file for each field of the document: what is followed for it, and how its resources are read. Pure.
- ``quirks.py``: vendors' peculiarities (data): start here for the next one, and add a test with bodies that show it.
- ``rules.py``: what a rule and a topic say of themselves.
- ``walker.py``: which resources are needed next; asks nobody, bounded, each resource once. ``wants.py``: what it asks
  for and is told. ``queries.py``: which queries spare requests. ``report.py``: the verdicts.
- ``tree.py``: what was collected, for the topics. ``machine.py``: which machine it is, for the topics.
- ``interpret.py``: a tree becomes a ``model.Device``, with the coverage.
- ``collector.py``: live, the walker over a session, a few requests at a time. ``cache.py``: what was said before.
- ``record.py``: the walker that writes down what it is told. ``capture.py``: the archive. ``replay.py``: over one.
- ``redact.py``: secrets out of a capture, and which BIOS attributes are secret.

What power and acting look at and change:

- ``service.py``: the chosen system, its managers, their actions, and writing.
- ``actions.py``: what a resource says of its actions and their values. ``settings.py``: what waits for a restart.
  ``tasks.py``: work that goes on after the answer.

Both:

- ``protocol.py``: login, requests, logout. ``session.py``: that on threads and in an event loop. ``answers.py``: what
  an HTTP answer means.
- ``systems.py``: which of the systems behind a BMC is the machine.
- ``values.py``: reading untrusted JSON.
"""
