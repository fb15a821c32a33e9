# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a region offers: its zones and its instance types, and which zone has which."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from ..aws.client import Client
from .describe import FILTER_VALUES, api_filter, asking, at_once, describe
from .info import definition
from .look_up import selection

Options = Mapping[str, Any]

_NAMES = {"type": "list", "elements": "str", "aliases": ["name"]}
_FILTERS = {"type": "dict"}
_ZONE_INFO = {"names": _NAMES, "ids": {"type": "list", "elements": "str"}, "filters": _FILTERS, "all": {"type": "bool", "default": False}}
_TYPE_INFO = {"names": _NAMES, "filters": _FILTERS, "zone": {"type": "str", "aliases": ["availability_zone"]}}


def zone(raw: Mapping[str, Any]) -> Dict[str, Any]:
    """A zone. Its id is the same in every account, its name is not."""
    return {
        "name": raw["ZoneName"],
        "id": raw.get("ZoneId"),
        "region": raw.get("RegionName"),
        "state": raw.get("State"),
        "type": raw.get("ZoneType"),
        "group": raw.get("GroupName"),
        "opt_in_status": raw.get("OptInStatus"),
        "network_border_group": raw.get("NetworkBorderGroup"),
        "parent_zone": raw.get("ParentZoneName"),
        "parent_zone_id": raw.get("ParentZoneId"),
        "messages": [str(one.get("Message")) for one in raw.get("Messages") or ()],
    }


def instance_type(raw: Mapping[str, Any], zones: List[Mapping[str, str]]) -> Dict[str, Any]:
    """An instance type; memory and disks in MiB and GB, as the API has them."""
    network, ebs = raw.get("NetworkInfo") or {}, raw.get("EbsInfo") or {}
    storage = raw.get("InstanceStorageInfo") or {}
    return {
        "name": raw["InstanceType"],
        "architectures": sorted((raw.get("ProcessorInfo") or {}).get("SupportedArchitectures") or ()),
        "vcpus": (raw.get("VCpuInfo") or {}).get("DefaultVCpus"),
        "cores": (raw.get("VCpuInfo") or {}).get("DefaultCores"),
        "memory_mib": (raw.get("MemoryInfo") or {}).get("SizeInMiB"),
        "current_generation": raw.get("CurrentGeneration"),
        "free_tier": raw.get("FreeTierEligible"),
        "bare_metal": raw.get("BareMetal"),
        "burstable": raw.get("BurstablePerformanceSupported"),
        "hypervisor": raw.get("Hypervisor"),
        "usage_classes": sorted(raw.get("SupportedUsageClasses") or ()),
        "boot_modes": sorted(raw.get("SupportedBootModes") or ()),
        "network_performance": network.get("NetworkPerformance"),
        "network_interfaces": network.get("MaximumNetworkInterfaces"),
        "addresses_per_interface": network.get("Ipv4AddressesPerInterface"),
        "ebs_nvme": ebs.get("NvmeSupport"),
        "ebs_optimized": ebs.get("EbsOptimizedSupport"),
        "ebs_encryption": ebs.get("EncryptionSupport"),
        "instance_storage_gb": storage.get("TotalSizeInGB"),
        "gpus": sum(int(one.get("Count") or 0) for one in (raw.get("GpuInfo") or {}).get("Gpus") or ()),
        "zones": zones,
    }


def _zones(client: Client, options: Options) -> Dict[str, Any]:
    raws = describe(client, "zones", selection("zones", options)[0], **({"AllAvailabilityZones": True} if options["all"] else {}))
    return {"availability_zones": sorted((zone(raw) for raw in raws), key=lambda one: str(one["name"]))}


def _types(client: Client, options: Options) -> Dict[str, Any]:
    """Three calls: the types and all zones at once, then which zone offers these types."""
    filters = selection("instance_types", options)[0]
    found = at_once({"types": asking(client, "instance_types", filters), "zones": asking(client, "zones", ())})
    names = [api_filter("instance-type", [raw["InstanceType"] for raw in found["types"]])]
    found["offered"] = describe(
        client, "offerings", names if len(names[0]["Values"]) <= FILTER_VALUES else (), LocationType="availability-zone"
    )
    ids = {raw["ZoneName"]: raw["ZoneId"] for raw in found["zones"]}
    offered: Dict[str, List[Mapping[str, str]]] = {}
    for raw in sorted(found["offered"], key=lambda one: str(one["Location"])):
        offered.setdefault(raw["InstanceType"], []).append({"name": raw["Location"], "id": ids.get(raw["Location"], "")})
    types = [instance_type(raw, offered.get(raw["InstanceType"], [])) for raw in found["types"]]
    wanted = options.get("zone")
    if wanted:
        types = [one for one in types if any(wanted in place.values() for place in one["zones"])]
    return {"instance_types": sorted(types, key=lambda one: str(one["name"]))}


AVAILABILITY_ZONE_INFO = definition(_ZONE_INFO, _zones)
INSTANCE_TYPE_INFO = definition(_TYPE_INFO, _types)
