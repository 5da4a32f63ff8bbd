# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.merge import merge
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.model import (
    Bmc,
    Coverage,
    Cpu,
    Device,
    Drive,
    Source,
    Verdict,
)

OOB = Device(
    source=Source.OOB,
    collected_at="2026-01-01T00:00:00Z",
    vendor="ACME",
    power_state="on",
    bmc=Bmc(model="iBMC"),
    cpus=(Cpu(cores=1),),
    coverage={
        "cpus": Coverage(),
        "drives": Coverage(Verdict.DENIED, "HTTP 403"),
        "memory": Coverage(Verdict.FAILED, "500"),
    },
)
INBAND = Device(
    source=Source.INBAND,
    collected_at="2026-01-02T00:00:00Z",
    power_state="unknown",
    cpus=(Cpu(cores=2),),
    drives=(Drive(serial="D1"),),
    coverage={"cpus": Coverage(), "drives": Coverage(), "memory": Coverage(Verdict.SKIPPED)},
)


def test_one_source_is_itself_with_provenance():
    merged = merge({Source.OOB: OOB})
    assert (merged.vendor, merged.cpus, merged.bmc) == (OOB.vendor, OOB.cpus, OOB.bmc)
    assert merged.source == Source.MERGED
    assert merged.provenance == {"vendor": "oob", "power_state": "oob", "bmc": "oob", "cpus": "oob"}
    assert merged.coverage == OOB.coverage


def test_in_band_overlays_section_by_section_but_the_bmc_knows_the_power():
    for order in ((Source.OOB, Source.INBAND), (Source.INBAND, Source.OOB)):
        documents = {Source.OOB: OOB, Source.INBAND: INBAND}
        merged = merge({source: documents[source] for source in order})
        assert merged.cpus == INBAND.cpus
        assert merged.drives == INBAND.drives
        assert merged.power_state == "on"
        assert merged.vendor == "ACME"
        assert merged.collected_at == "2026-01-02T00:00:00Z"
        assert merged.provenance["cpus"] == merged.provenance["drives"] == "inband"
        assert merged.provenance["power_state"] == merged.provenance["vendor"] == "oob"
        assert merged.coverage["drives"].verdict == Verdict.COLLECTED
        assert merged.coverage["memory"].reason == "500"


def test_nothing():
    assert merge({}) == Device(source=Source.MERGED)
