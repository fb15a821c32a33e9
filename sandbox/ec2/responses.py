# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The answers to EC2 calls: moto's, and before them the sandbox's own."""

from __future__ import annotations

import logging
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any, Callable, ClassVar, Dict, Tuple, Type

from botocore.model import OperationNotFoundError
from moto.core.exceptions import ServiceException
from moto.core.request import Request
from moto.core.responses import TYPE_RESPONSE, ActionResult
from moto.core.utils import get_service_model
from moto.ec2.responses import EC2Response

from sandbox.ec2.envelope import error_body
from sandbox.ec2.image_calls import ImageCalls
from sandbox.ec2.instance_calls import InstanceCalls
from sandbox.ec2.network_calls import NetworkCalls
from sandbox.ec2.paging import page, paged_results
from sandbox.ec2.volume_calls import VolumeCalls
from sandbox.ec2.xml import Document

if TYPE_CHECKING:
    from sandbox.cloud import Cloud

log = logging.getLogger(__name__)

Answer = Tuple[int, Dict[str, str], bytes]

#: States that moto paints on its answers, because it has none of its own.
PAINTED = (
    "RunInstances.Reservation.Instances.Instance.State",
    "CreateVolumeResponse.State",
    "ModifyVolumeResponse.VolumeModification.ModificationState",
    "ModifyVolumeResponse.VolumeModification.Progress",
)

#: Answers that grow with the number of resources; the sandbox writes these by itself.
LARGE = frozenset(
    {
        "RunInstances",
        "DescribeInstances",
        "DescribeInstanceStatus",
        "DescribeVolumes",
        "DescribeTags",
        "DescribeNetworkInterfaces",
        "DescribeAddresses",
        "DescribeSnapshots",
        "DescribeSecurityGroups",
    }
)


class Responses(InstanceCalls, VolumeCalls, ImageCalls, NetworkCalls, EC2Response):
    """One EC2 call. `cloud` is set on a subclass, since moto makes responses by itself."""

    cloud: "Cloud"
    RESPONSE_KEY_PATH_TO_TRANSFORMER: ClassVar[Dict[str, Any]] = {
        path: change for path, change in EC2Response.RESPONSE_KEY_PATH_TO_TRANSFORMER.items() if path not in PAINTED
    }

    def call_action(self) -> TYPE_RESPONSE:
        """Answer the call; a dry run ends here, before anything is looked at."""
        if self._get_param("DryRun", False):
            return self._failure(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set.")
        self.cloud.lag.check(self.params)
        return super().call_action()

    def serialized(self, action_result: ActionResult) -> TYPE_RESPONSE:
        """The XML of a result, cut to the page that was asked for."""
        action = self._get_action()
        if isinstance(action_result.result, Exception):
            return super().serialized(action_result)
        self.cloud.lag.made(action, action_result.result, self.cloud.faults.faults.read_lag)
        result = self.cloud.lag.visible(action_result.result) if action.startswith("Describe") else action_result.result
        key = paged_results().get(action)
        if key and isinstance(result, dict) and isinstance(result.get(key), list):
            result[key], result["NextToken"] = page(result[key], self.params)
        if action in LARGE:
            body = self._document(action).write(result, str(uuid.uuid4()))
            return 200, {"Content-Type": "text/xml", **self.response_headers}, body
        return super().serialized(ActionResult(result))

    @classmethod
    @cache
    def _document(cls, action: str) -> Document:
        operation = get_service_model("ec2").operation_model(action)
        return Document(operation, cls.RESPONSE_KEY_PATH_TO_TRANSFORMER)

    @staticmethod
    def _failure(status: int, code: str, message: str) -> TYPE_RESPONSE:
        return status, {"Content-Type": "text/xml"}, error_body(code, message)


def answering(cloud: "Cloud") -> Callable[[Request], Answer]:
    """A function that answers EC2 calls of `cloud`, one at a time."""
    bound: Type[Responses] = type("CloudResponses", (Responses,), {"cloud": cloud})

    def answer(request: Request) -> Answer:
        try:
            with cloud.lock:
                status, headers, body = bound.dispatch(request)
            cloud.ports.sync()
        except ServiceException as error:
            return 400, {"Content-Type": "text/xml"}, error_body(error.code, error.message)
        except Exception as error:
            status, headers, body = _unexpected(request, error)
        return int(status), headers, body.encode() if isinstance(body, str) else body

    return answer


def _unexpected(request: Request, error: Exception) -> Tuple[int, Dict[str, str], bytes]:
    """What a caller gets to hear when moto has no answer, or breaks over one."""
    action = request.values.get("Action", "")
    headers = {"Content-Type": "text/xml"}
    if isinstance(error, OperationNotFoundError):
        return 400, headers, error_body("InvalidAction", f"The action {action} is not valid for this web service.")
    if isinstance(error, NotImplementedError):
        return 400, headers, error_body("UnsupportedOperation", f"The sandbox does not do this ({action}): {error}")
    if isinstance(error, KeyError) and _is_unknown_region(error):
        return 401, headers, error_body("AuthFailure", f"Credential should be scoped to a valid region, not {error}.")
    log.exception("%s failed", action)
    return 500, headers, error_body("InternalError", f"The sandbox failed at {action}: {type(error).__name__}: {error}")


def _is_unknown_region(error: KeyError) -> bool:
    from moto.ec2.models import ec2_backends

    name = error.args[0] if error.args else None
    return isinstance(name, str) and "-" in name and all(name not in regions for regions in ec2_backends.values())
