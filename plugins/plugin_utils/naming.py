# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names that say project, environment and region: `Moso-dev-nvir`, `moso-web-dev-sg`."""

from __future__ import annotations

import re

#: A region's short code: the first letters of the place it stands for. Every other region falls back to its name without dashes.
REGION_CODES = {
    "af-south-1": "cape",
    "ap-east-1": "hong",
    "ap-east-2": "taip",
    "ap-northeast-1": "toky",
    "ap-northeast-2": "seou",
    "ap-northeast-3": "osak",
    "ap-south-1": "mumb",
    "ap-south-2": "hyde",
    "ap-southeast-1": "sing",
    "ap-southeast-2": "sydn",
    "ap-southeast-3": "jaka",
    "ap-southeast-4": "melb",
    "ap-southeast-5": "mala",
    "ap-southeast-6": "newz",
    "ap-southeast-7": "thai",
    "ca-central-1": "mont",
    "ca-west-1": "calg",
    "cn-north-1": "beij",
    "cn-northwest-1": "ning",
    "eu-central-1": "fran",
    "eu-central-2": "zuri",
    "eu-north-1": "stoc",
    "eu-south-1": "mila",
    "eu-south-2": "spai",
    "eu-west-1": "irel",
    "eu-west-2": "lond",
    "eu-west-3": "pari",
    "il-central-1": "tela",
    "me-central-1": "uaem",
    "me-south-1": "bahr",
    "mx-central-1": "mexi",
    "sa-east-1": "saop",
    "us-east-1": "nvir",
    "us-east-2": "ohio",
    "us-gov-east-1": "gove",
    "us-gov-west-1": "govw",
    "us-west-1": "ncal",
    "us-west-2": "oreg",
}

_REGION = re.compile(r"^[a-z]{2,4}(-[a-z]+)+-\d+$")
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


def is_region(text: str) -> bool:
    """Whether `text` reads like the name of a region (`us-east-1`, also one that is not in the table yet)."""
    return bool(_REGION.match(text))


def region_code(region: str) -> str:
    """The short code of a region; one that is not in the table keeps its name without the dashes."""
    if not is_region(region):
        raise ValueError(f"{region!r} is not the name of a region, such as us-east-1")
    return REGION_CODES.get(region, region.replace("-", ""))


def resource_name(project: str, *parts: str) -> str:
    """`project` and `parts` joined by dashes, a region by its code. Letters, digits, dot, dash and underscore only."""
    words = [str(word) for word in (project, *parts)]
    for word in words:
        if not _NAME.match(word):
            raise ValueError(f"{word!r} cannot be part of a resource name: letters, digits, '.', '_' and '-' only")
    return "-".join(region_code(word) if is_region(word) else word for word in words)
