# SPDX-License-Identifier: BSD-2-Clause

"""Changes on a BMC, one file for each kind: boot, bios, secure_boot, firmware, account, led, log, virtual_media, reset,
session.

Each has a ``CHANGE`` (:class:`.base.Change`): its options, ``plan_redfish``, and ``plan_ipmi`` where IPMI can do it,
which get a connection and the module's options and return a :class:`fleetcore.ports.Plan`. All go the same way:

observe
    read what there is;
plan
    say what is to be (nothing is written until ``Plan.apply`` is called);
apply
    write what differs, and only that;
verify
    read until it is so (:func:`.base.reach`). A write that was accepted and has no effect is a failure.

To add one: a file with a ``CHANGE``, a module that hands it to ``run_acting``, a test on a virtual BMC. What needs
a restart of the machine goes on with :func:`.reboot.reboot_until`.
"""
