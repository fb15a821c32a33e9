# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a volume may look like: sizes, IOPS and throughput of each type, as EC2 has them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from moto.ec2.utils import generic_filter

from sandbox.errors import Ec2Error

#: Smallest and largest size in GiB.
SIZES: Dict[str, Tuple[int, int]] = {
    "gp2": (1, 16384),
    "gp3": (1, 65536),
    "io1": (4, 16384),
    "io2": (4, 65536),
    "st1": (125, 16384),
    "sc1": (125, 16384),
    "standard": (1, 1024),
}
IOPS_REQUIRED = ("io1", "io2")
GP3_IOPS, GP3_THROUGHPUT = 3000, 125
DEFAULT_TYPE = "gp2"


@dataclass(frozen=True)
class Form:
    """Size and performance of a volume."""

    size: int
    volume_type: str
    iops: Optional[int]
    throughput: Optional[int]


def new_form(size: Optional[int], values: Mapping[str, Any]) -> Form:
    """The form of a new volume, with EC2's defaults filled in."""
    if not size:
        raise Ec2Error("MissingParameter", "The request must contain the parameter size/snapshot")
    volume_type = values.get("volume_type") or DEFAULT_TYPE
    return _checked(int(size), volume_type, values.get("iops"), values.get("throughput"))


def changed_form(volume: Any, size: Any, volume_type: Any, iops: Any, throughput: Any) -> Form:
    """The form that a change leads to; what is not named stays, as far as the type allows."""
    if not (size or volume_type or iops or throughput):
        raise Ec2Error("InvalidParameterValue", "Invalid input: Must specify at least one of size, type, iops, throughput")
    if size and int(size) < volume.size:
        raise Ec2Error("InvalidParameterValue", "New size cannot be smaller than existing size")
    same_type = not volume_type or volume_type == volume.volume_type
    settable = volume.volume_type in (*IOPS_REQUIRED, "gp3")
    return _checked(
        int(size or volume.size),
        volume_type or volume.volume_type,
        iops or (volume.iops if same_type and settable else None),
        throughput or (volume.throughput if same_type else None),
    )


def _checked(size: int, volume_type: str, iops: Optional[int], throughput: Optional[int]) -> Form:
    if volume_type not in SIZES:
        raise Ec2Error("InvalidParameterValue", f"Invalid volume type: {volume_type}")
    smallest, largest = SIZES[volume_type]
    if not smallest <= size <= largest:
        raise Ec2Error(
            "InvalidParameterValue",
            f"Volume of {size}GiB is {'smaller' if size < smallest else 'larger'} than "
            f"{'minimum' if size < smallest else 'maximum'} volume size for {volume_type}: "
            f"{smallest if size < smallest else largest}GiB.",
        )
    if throughput and volume_type != "gp3":
        raise Ec2Error("InvalidParameterDependency", f"Throughput is not supported for {volume_type} volumes.")
    return Form(size, volume_type, _iops(size, volume_type, iops), _throughput(volume_type, throughput))


def _iops(size: int, volume_type: str, iops: Optional[int]) -> Optional[int]:
    if volume_type in IOPS_REQUIRED and not iops:
        raise Ec2Error("MissingParameter", f"The request must contain the parameter iops for {volume_type} volumes.")
    if iops and volume_type not in (*IOPS_REQUIRED, "gp3"):
        raise Ec2Error("InvalidParameterCombination", f"The parameter iops is not supported for {volume_type} volumes.")
    if volume_type == "gp3":
        if iops and int(iops) < GP3_IOPS:
            raise Ec2Error("InvalidParameterValue", f"Volume iops of {iops} is too low; minimum is {GP3_IOPS}.")
        return int(iops or GP3_IOPS)
    if volume_type == "gp2":
        return min(max(3 * size, 100), 16000)
    return int(iops) if iops else None


def _throughput(volume_type: str, throughput: Optional[int]) -> Optional[int]:
    if volume_type != "gp3":
        return None
    if throughput and int(throughput) < GP3_THROUGHPUT:
        raise Ec2Error("InvalidParameterValue", f"Throughput of {throughput} is too low; minimum is {GP3_THROUGHPUT}.")
    return int(throughput or GP3_THROUGHPUT)


def matching(filters: Optional[Dict[str, Any]], items: List[Any]) -> List[Any]:
    """Those of `items` that pass `filters`."""
    return generic_filter(filters, items) if filters else items
