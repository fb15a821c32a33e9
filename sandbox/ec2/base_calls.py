# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the groups of calls have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List

from sandbox.ec2.launch import tags_by_kind

if TYPE_CHECKING:
    from moto.ec2.responses import EC2Response as Base

    from sandbox.cloud import Cloud
else:
    # moto's class comes last among the bases of `Responses`; `super()` finds it there.
    Base = object


class Calls(Base):
    """One call: `self.params` are its parameters by their API names."""

    cloud: "Cloud"
    params: Any

    def tags_for(self, *kinds: str) -> Dict[str, Dict[str, str]]:
        """The tags that the request gives to what it makes, by kind."""
        return tags_by_kind(self.params, list(kinds))

    def ids(self, name: str) -> List[str]:
        """A list of ids in the request."""
        return list(self._get_param(name, []))
