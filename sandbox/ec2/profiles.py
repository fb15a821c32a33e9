# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Instance profiles: what is associated is what DescribeInstances shows."""

from __future__ import annotations

from typing import Any, Optional

from moto.ec2.models.iam_instance_profile import IamInstanceProfileAssociationBackend

from sandbox.ec2.shared import Shared


class ProfileModel(Shared, IamInstanceProfileAssociationBackend):
    """The profiles of the instances of a region."""

    def replace_iam_instance_profile_association(
        self, association_id: str, iam_instance_profile_name: Optional[str] = None, iam_instance_profile_arn: Optional[str] = None
    ) -> Any:
        """Another profile, under a new association."""
        association = super().replace_iam_instance_profile_association(association_id, iam_instance_profile_name, iam_instance_profile_arn)
        association.association_id = self.new_id("iip-assoc")
        self._show(association.instance_id, association)
        return association

    def disassociate_iam_instance_profile(self, association_id: str) -> Any:
        """No profile any more."""
        association = super().disassociate_iam_instance_profile(association_id)
        self._show(association.instance_id, None)
        return association

    def _show(self, instance_id: str, association: Any) -> None:
        instance = self.get_instance(instance_id)
        profile = association.iam_instance_profile if association else None
        instance.iam_instance_profile = {"Arn": profile.arn, "Id": profile.id} if profile else None
