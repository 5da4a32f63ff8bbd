# Copyright: (c) 2026, The baremetal.fleet authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What tools print when something is wrong, and what must not be taken for a value. See golden/ for what is right."""

from __future__ import annotations

import pytest
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.document.values import (
    clean_serial,
    clean_uuid,
    word,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.errors import ParseError
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.parse import (
    dmidecode,
    hdparm,
    ipmitool,
    nvidia_smi,
    smartctl,
    zpool,
)
from ansible_collections.baremetal.fleet.plugins.module_utils.fleetcore.inband.parse.drives import (
    drive_vendor,
    is_remote,
    is_virtual,
)

IDENTITY = "\n/dev/sdx:\n\nATA device, with non-removable media\n\tModel Number:       {}\n\tSerial Number:      {}\n"


@pytest.mark.parametrize(
    "output",
    [
        IDENTITY.format("\x8a\x07\x02P\x1cX", "EXSERIAL"),
        IDENTITY.format("EX MODEL", "AB\x01\x02CD"),
        IDENTITY.format("EX MODEL", "EXSERIAL") + "Integrity word not set (found 0x1234, expected 0x56a5)\n",
    ],
)
def test_an_identity_of_other_bytes_is_no_drive_and_names_the_device(output):
    with pytest.raises(ParseError, match="/dev/sdx") as caught:
        hdparm.parse_hdparm(output)
    assert caught.value.details["absent"] is False


def test_a_drive_without_an_integrity_word_is_a_drive():
    output = IDENTITY.format("EX MODEL", "EXSERIAL") + "Integrity word not set (found 0x0000, expected 0x10a5)\n"
    assert hdparm.parse_hdparm(output).drives[0].serial == "EXSERIAL"


@pytest.mark.parametrize("value", ["AB\x07CD", "\xca\x07\x11", "EX\x00\x01\x02Y", "EX\ufffd1"])
def test_bytes_that_are_no_text_are_no_serial(value):
    assert clean_serial(value) is None


@pytest.mark.parametrize("value", ["EX123\x00\x00", "  EX123\n", "EX123\x01\x02", "EX123\xff\xff\x00"])
def test_what_fills_a_field_up_is_taken_off(value):
    assert clean_serial(value).startswith("EX123")


@pytest.mark.parametrize(
    "value",
    [
        "eeeeeeee-eeee-eeee-eeee-eeeeeeeeeeee",
        "03000200-0400-0500-0006-000700080009",
        "00000000-0000-0000-0000-000000000000",
    ],
)
def test_uuids_that_makers_leave_in_are_none(value):
    assert clean_uuid(value) is None


@pytest.mark.parametrize(
    ("output", "address", "state"),
    [
        ("device handle for GPU 0000:3B:00.0: GPU is lost.  Reboot the system", "0000:3b:00.0", "GPU is lost"),
        ("device handle for GPU1: 0000:AF:00.0: Unknown Error\n", "0000:af:00.0", "Unknown Error"),
    ],
)
def test_a_gpu_that_the_driver_cannot_reach_is_there_and_critical(output, address, state):
    (gpu,) = nvidia_smi.parse_nvidia_smi(f"Unable to determine the {output}").gpus
    assert (gpu.bus_info, gpu.status.Health, gpu.status.State) == (address, "Critical", state)


@pytest.mark.parametrize(
    "said",
    ["GPU is lost", "[GPU is lost]", "[N/A]", "Unknown Error", "[Not Found]", "[GPU requires reset]", "No Permission"],
)
def test_words_of_the_gpu_driver_are_no_values(said):
    assert word(said) is None


def test_a_channel_without_an_address_is_said_and_is_no_answer():
    output = (
        "Set in Progress         : Set Complete\nIP Address Source       : DHCP Address\n"
        "IP Address              : 0.0.0.0\nSubnet Mask             : 0.0.0.0\n"
        "MAC Address             : 00:00:00:00:00:00\n"
    )
    with pytest.raises(ParseError, match="no address"):
        ipmitool.parse_ipmitool_lan(output)


@pytest.mark.parametrize("parse", [smartctl.parse_smartctl, smartctl.parse_smartctl_scan])
@pytest.mark.parametrize("version", ["6.6 2017-11-05 r4594", "7.3 2022-02-28 r5338"])
def test_text_of_smartctl_is_not_understood_by_name(parse, version):
    output = f"smartctl {version} [x86_64-linux-5.10.0] (local build)\n\nModel Family:     EX\nSerial Number:    EX1\n"
    with pytest.raises(ParseError, match=f"version {version[:3]} is not understood") as caught:
        parse(output)
    assert caught.value.details["absent"] is False


def test_a_machine_without_tables_has_none():
    with pytest.raises(ParseError) as caught:
        dmidecode.parse_dmidecode(
            "# dmidecode 3.3\nScanning /dev/mem for entry point.\n# No SMBIOS nor DMI entry point.\n"
        )
    assert caught.value.details["absent"] is True


def test_text_that_is_no_table_is_not_understood():
    with pytest.raises(ParseError) as caught:
        dmidecode.parse_dmidecode("# dmidecode 3.3\nGetting SMBIOS data from sysfs.\nSMBIOS 3.0 present.\n")
    assert caught.value.details["absent"] is False


def test_a_device_that_a_pool_has_lost_is_still_a_member():
    output = (
        "tank\t1000\t10\t990\t-\t-\t0\t1\t1.00\tDEGRADED\t-\n"
        "\tmirror-0\t1000\t10\t990\t-\t-\t0\t1\t-\tDEGRADED\n"
        "\t/dev/sda1\t-\t-\t-\t-\t-\t-\t-\t-\tONLINE\n\t1234567890123456789\t-\t-\t-\t-\t-\t-\t-\t-\tUNAVAIL\n"
    )
    assert zpool.parse_zpool(output).volumes[0].physical_drives == ("/dev/sda1", "1234567890123456789")


@pytest.mark.parametrize(
    ("vendor", "words"),
    [
        ("HGST", ("HUS724040ALE640", None, "Hitachi/HGST Ultrastar 7K4000")),
        ("HGST", ("HGST HTS725050A7E630", None, "Hitachi/HGST Travelstar 7K750")),
        ("Hitachi", ("HUS156030VLS600", "HITACHI")),
        ("HGST", ("HUC101818CS4200", "HGST")),
        ("Hitachi", ("HDS721010CLA332",)),
        ("Seagate", ("ST600MM0006", "DELL")),
        ("Seagate", ("MB2000EXABC", None, "Seagate Constellation ES")),
        ("HPE", ("MB2000EXABC", "HP")),
        ("HPE", ("MK000480GWEXA",)),
        ("Toshiba", ("MK1001TRKB", "TOSHIBA")),
        ("Toshiba", ("KPM51RUG960G", "TOSHIBA")),
        ("Micron", ("C400-MTFDDAK128MAM", None, "Crucial/Micron RealSSD m4/C400/P400")),
        (None, ("EXEMPLAR 2000", "EXEMPLAR")),
    ],
)
def test_makers_of_drives(vendor, words):
    assert drive_vendor(*words) == vendor


@pytest.mark.parametrize(
    "names",
    [("Intel", "RS3EX080"), ("Adaptec", "data"), ("ASR8805", "raid5"), ("LSI", "MR9361-8i"), ("iDRAC", "LCDRIVE")],
)
def test_volumes_of_raid_controllers_are_no_drives(names):
    assert is_virtual(*names)


@pytest.mark.parametrize(
    "names",
    [
        ("3PARdata", "VV"),
        ("PURE", "FlashArray"),
        ("LIO-ORG", "disk1"),
        ("HITACHI", "OPEN-V"),
        ("EMC", "SYMMETRIX"),
        ("COMPELNT", "Compellent Vol"),
        ("TrueNAS", "iSCSI Disk"),
        ("HPE", "MSA 2060 FC"),
        (None, "dellemc-powerstore"),
    ],
)
def test_volumes_of_arrays_are_no_drives(names):
    assert is_remote(*names)


@pytest.mark.parametrize(
    "names",
    [
        ("SEAGATE", "ST1200MM0099"),
        ("HITACHI", "HUS156030VLS600"),
        ("IBM-ESXS", "ST9300653SS"),
        ("NETAPP", "X423_HCOBE900A10"),
        ("LSILOGIC", "SASX36 A.1"),
        ("ATA", "INTEL SSDSC2KB96"),
        ("HP", "EG0600FBVFP"),
        ("SMART", "SRM2S86Q800GQT51MF"),
    ],
)
def test_drives_of_arrays_makers_are_drives(names):
    assert not is_virtual(*names)
    assert not is_remote(*names)
