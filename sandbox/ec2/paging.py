# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""MaxResults and NextToken, for every operation that botocore pages."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any, Dict, List, Mapping, Optional, Tuple

from botocore.exceptions import UnknownServiceError
from botocore.session import get_session

from sandbox.errors import Ec2Error

#: As many as EC2 returns where the caller does not say.
DEFAULT_PAGE = 1000


@lru_cache(maxsize=1)
def paged_results() -> Dict[str, str]:
    """{operation: name of the list in its result} for all paged operations of EC2."""
    try:
        model = get_session().get_component("data_loader").load_service_model("ec2", "paginators-1")
    except UnknownServiceError:  # pragma: no cover - botocore always has EC2
        return {}
    return {name: page["result_key"] for name, page in model["pagination"].items() if isinstance(page["result_key"], str)}


def page(items: List[Any], params: Mapping[str, Any]) -> Tuple[List[Any], Optional[str]]:
    """The part of `items` that the request asks for, and the token of the next part."""
    start = _decode(params.get("NextToken"))
    size = int(params.get("MaxResults") or DEFAULT_PAGE)
    end = start + size
    return items[start:end], (_encode(end) if end < len(items) else None)


def _encode(offset: int) -> str:
    return base64.urlsafe_b64encode(f"from:{offset}".encode()).decode()


def _decode(token: Optional[str]) -> int:
    if not token:
        return 0
    try:
        word, offset = base64.urlsafe_b64decode(token.encode()).decode().split(":")
        if word == "from":
            return int(offset)
    except ValueError:
        pass
    raise Ec2Error("InvalidParameterValue", f"The token '{token}' is not valid.")
