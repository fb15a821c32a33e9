# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An EC2 endpoint that replays ready-made pages: many instances, many regions, distance, and every kind of trouble.

In a test: `with Replay(Account(instances=20)) as endpoint: …`. For benchmarks as a process of its own, so that it takes nothing of
what is measured: `python -m tests.support.replay --instances 10000 --regions 17 --latency 0.05`, which prints its address.
"""

from __future__ import annotations

import argparse
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
#: What AWS puts on a page when nobody asks for fewer.
PAGE = 1000
REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "eu-central-1", "eu-west-1", "eu-west-2", "eu-west-3"),
    *("eu-north-1", "ap-south-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "sa-east-1"),
)
TYPES = ("t3.micro", "m7i.large", "r6g.xlarge")
ENVIRONMENTS, ROLES, OWNERS = ("dev", "test", "prod"), ("web", "db", "cache", "worker"), ("ada", "grace", "linus", "ken", "radia")


@dataclass(frozen=True)
class Trouble:
    """An answer that is not the wished one: an error of the API, or silence for some seconds."""

    code: str = ""
    status: int = 400
    message: str = "as the test wants it"
    silence: float = 0.0


@dataclass(frozen=True)
class Call:
    """One request: `number` counts the calls of this action in this region from 1."""

    action: str
    region: str
    number: int
    params: Mapping[str, str]
    access_key: str


@dataclass(frozen=True)
class Account:
    """What the regions have. `instances` are spread evenly over `regions`; `tags` gives those of the instance with a number."""

    instances: int = 10
    regions: tuple[str, ...] = ("us-east-1",)
    tags: Callable[[int], Mapping[str, str]] | None = None
    volumes: bool = True

    def numbers(self, region: str) -> range:
        """The numbers of the instances in a region."""
        if region not in self.regions:
            return range(0)
        return range(self.regions.index(region), self.instances, len(self.regions))

    def tags_of(self, number: int) -> Mapping[str, str]:
        """About as many as an organisation demands."""
        if self.tags:
            return self.tags(number)
        environment, role = ENVIRONMENTS[number % 3], ROLES[number % 4]
        return {
            "Name": f"{role}-{environment}-{number}",
            "Environment": environment,
            "Role": role,
            "Owner": OWNERS[number % 5],
            "Project": f"project-{number % 20}",
            "CostCenter": f"cc-{1000 + number % 50}",
            "Schedule": "office-hours" if number % 2 else "always",
            "Backup": "daily",
        }


def tag_set(tags: Mapping[str, str]) -> str:
    """Tags in the API's form."""
    items = "".join(f"<item><key>{escape(key)}</key><value>{escape(value)}</value></item>" for key, value in tags.items())
    return f"<tagSet>{items}</tagSet>"


def identifier(kind: str, number: int) -> str:
    """An id as EC2 makes them."""
    return f"{kind}-{(number * 2654435761 + 0x1234567) % 16**17:017x}"


def instance(account: Account, region: str, number: int) -> str:
    """One reservation with one instance, with all that EC2 says about one of today's."""
    zone, address = f"{region}{'abc'[number % 3]}", f"10.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}"
    public = f"198.{18 + number // 65536 % 2}.{number // 256 % 256}.{number % 256}"
    dashed, public_dashed = address.replace(".", "-"), public.replace(".", "-")
    own, interface = identifier("i", number), identifier("eni", number)
    groups = f"<item><groupId>{identifier('sg', number % 7)}</groupId><groupName>group-{number % 7}</groupName></item>"
    public_name = f"ec2-{public_dashed}.{region}.compute.amazonaws.com"
    association = (
        f"<association><publicIp>{public}</publicIp><publicDnsName>{public_name}</publicDnsName><ipOwnerId>amazon</ipOwnerId></association>"
    )
    disks = "".join(
        f"<item><deviceName>{device}</deviceName><ebs><volumeId>{identifier('vol', number * 2 + index)}</volumeId><status>attached</status>"
        "<attachTime>2026-01-15T10:20:31.000Z</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item>"
        for index, device in enumerate(("/dev/xvda", "/dev/sdf"))
    )
    return (
        f"<item><reservationId>{identifier('r', number)}</reservationId><ownerId>123456789012</ownerId><groupSet/><instancesSet><item>"
        f"<instanceId>{own}</instanceId><imageId>ami-0{number % 9:016x}</imageId>"
        "<instanceState><code>16</code><name>running</name></instanceState>"
        f"<privateDnsName>ip-{dashed}.{region}.compute.internal</privateDnsName><dnsName>{public_name}</dnsName><reason/>"
        "<keyName>Moso-prod-fran</keyName><amiLaunchIndex>0</amiLaunchIndex><productCodes/>"
        f"<instanceType>{TYPES[number % 3]}</instanceType><launchTime>2026-01-15T10:20:30.000Z</launchTime>"
        f"<placement><availabilityZone>{zone}</availabilityZone><groupName/><tenancy>default</tenancy></placement>"
        f"<monitoring><state>{'enabled' if number % 2 else 'disabled'}</state></monitoring>"
        f"<subnetId>{identifier('subnet', number % 6)}</subnetId><vpcId>{identifier('vpc', 1)}</vpcId>"
        f"<privateIpAddress>{address}</privateIpAddress><ipAddress>{public}</ipAddress><sourceDestCheck>true</sourceDestCheck>"
        f"<groupSet>{groups}</groupSet><architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType>"
        f"<rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping>{disks}</blockDeviceMapping>"
        f"<virtualizationType>hvm</virtualizationType><clientToken>token-{number}</clientToken>{tag_set(account.tags_of(number))}"
        "<hypervisor>xen</hypervisor><networkInterfaceSet><item>"
        f"<networkInterfaceId>{interface}</networkInterfaceId><subnetId>{identifier('subnet', number % 6)}</subnetId>"
        f"<vpcId>{identifier('vpc', 1)}</vpcId><description/><ownerId>123456789012</ownerId><status>in-use</status>"
        f"<macAddress>0a:00:00:{number // 65536 % 256:02x}:{number // 256 % 256:02x}:{number % 256:02x}</macAddress>"
        f"<privateIpAddress>{address}</privateIpAddress><privateDnsName>ip-{dashed}.{region}.compute.internal</privateDnsName>"
        f"<sourceDestCheck>true</sourceDestCheck><groupSet>{groups}</groupSet><attachment>"
        f"<attachmentId>{identifier('eni-attach', number)}</attachmentId><deviceIndex>0</deviceIndex><status>attached</status>"
        "<attachTime>2026-01-15T10:20:30.000Z</attachTime><deleteOnTermination>true</deleteOnTermination>"
        f"<networkCardIndex>0</networkCardIndex></attachment>{association}<privateIpAddressesSet><item>"
        f"<privateIpAddress>{address}</privateIpAddress><privateDnsName>ip-{dashed}.{region}.compute.internal</privateDnsName>"
        f"<primary>true</primary>{association}</item></privateIpAddressesSet><ipv6AddressesSet/><interfaceType>interface</interfaceType>"
        "</item></networkInterfaceSet><ebsOptimized>true</ebsOptimized><enaSupport>true</enaSupport><iamInstanceProfile>"
        "<arn>arn:aws:iam::123456789012:instance-profile/web</arn><id>AIPAEXAMPLE</id></iamInstanceProfile>"
        "<cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>"
        "<capacityReservationSpecification><capacityReservationPreference>open</capacityReservationPreference>"
        "</capacityReservationSpecification><hibernationOptions><configured>false</configured></hibernationOptions>"
        "<enclaveOptions><enabled>false</enabled></enclaveOptions><metadataOptions><state>applied</state><httpTokens>required</httpTokens>"
        "<httpPutResponseHopLimit>1</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>"
        "<httpProtocolIpv6>disabled</httpProtocolIpv6><instanceMetadataTags>disabled</instanceMetadataTags></metadataOptions>"
        "<maintenanceOptions><autoRecovery>default</autoRecovery></maintenanceOptions><bootMode>uefi-preferred</bootMode>"
        "<currentInstanceBootMode>uefi</currentInstanceBootMode><platformDetails>Linux/UNIX</platformDetails>"
        "<usageOperation>RunInstances</usageOperation><usageOperationUpdateTime>2026-01-15T10:20:30.000Z</usageOperationUpdateTime>"
        "<privateDnsNameOptions><hostnameType>ip-name</hostnameType><enableResourceNameDnsARecord>false</enableResourceNameDnsARecord>"
        "<enableResourceNameDnsAAAARecord>false</enableResourceNameDnsAAAARecord></privateDnsNameOptions>"
        "</item></instancesSet></item>"
    )


def volumes(region: str, number: int) -> str:
    """The two volumes of an instance."""
    return "".join(
        f"<item><volumeId>{identifier('vol', number * 2 + index)}</volumeId><size>{size}</size><snapshotId/>"
        f"<availabilityZone>{region}{'abc'[number % 3]}</availabilityZone><status>in-use</status>"
        "<createTime>2026-01-15T10:20:31.000Z</createTime><attachmentSet><item>"
        f"<volumeId>{identifier('vol', number * 2 + index)}</volumeId><instanceId>{identifier('i', number)}</instanceId>"
        f"<device>{device}</device><status>attached</status><attachTime>2026-01-15T10:20:31.000Z</attachTime>"
        f"<deleteOnTermination>true</deleteOnTermination></item></attachmentSet>{tag_set({'Name': name})}<volumeType>gp3</volumeType>"
        "<iops>3000</iops><throughput>125</throughput><encrypted>true</encrypted><multiAttachEnabled>true</multiAttachEnabled></item>"
        for index, (device, name, size) in enumerate((("/dev/xvda", "root", 8), ("/dev/sdf", "images", 20)))
    )


@dataclass
class Replay:
    """The endpoint. `trouble` may answer a call otherwise; `calls` has every call that came."""

    account: Account = field(default_factory=Account)
    trouble: Callable[[Call], Trouble | None] = lambda call: None
    latency: float = 0.0
    #: How often a new connection goes there and back before its first request: 2 for TCP and TLS.
    handshakes: int = 0
    port: int = 0
    page: int = PAGE
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[str, str], int] = {}
        self._pages: dict[tuple[str, str], list[bytes]] = {}
        self._ended = threading.Event()

    def __enter__(self) -> Replay:
        replay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self) -> None:
                super().setup()
                time.sleep(replay.latency * replay.handshakes)

            def do_POST(self) -> None:
                replay.answer(self)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that point AWS clients here; nothing of the caller's AWS configuration is left."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "EC2_"))}
        keys = {"AWS_ACCESS_KEY_ID": "AKIAREPLAY", "AWS_SECRET_ACCESS_KEY": "replay", "AWS_EC2_METADATA_DISABLED": "true"}
        files = {"AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}
        return {**kept, "AWS_ENDPOINT_URL": self.url, "AWS_DEFAULT_REGION": self.account.regions[0], **keys, **files}

    def actions(self, since: int = 0) -> list[str]:
        """The names of the calls after the first `since`."""
        return [call.action for call in self.calls[since:]]

    def warm_up(self) -> None:
        """Make all pages beforehand, so that making them is not measured."""
        for region in self.account.regions:
            for action in ("DescribeInstances", "DescribeVolumes"):
                self._ready(action, region)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        body = handler.rfile.read(int(handler.headers["Content-Length"])).decode()
        params = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        scope = re.search(r"Credential=([^/]+)/\d+/([^/]+)/", handler.headers.get("Authorization", ""))
        key, region = scope.groups() if scope else ("", "us-east-1")
        call = self._noted(params["Action"], region, params, key)
        if self.latency:
            time.sleep(self.latency)
        trouble = self.trouble(call)
        if trouble and trouble.silence:
            self._ended.wait(trouble.silence)
        if trouble and trouble.code:
            error = f"<Error><Code>{trouble.code}</Code><Message>{trouble.message}</Message></Error>"
            self._send(handler, trouble.status, f"<Response><Errors>{error}</Errors><RequestID>r</RequestID></Response>".encode())
        else:
            self._send(handler, 200, self._page(call))

    def _noted(self, action: str, region: str, params: Mapping[str, str], key: str) -> Call:
        with self._lock:
            number = self._counts[action, region] = self._counts.get((action, region), 0) + 1
            call = Call(action, region, number, params, key)
            self.calls.append(call)
            return call

    def _send(self, handler: BaseHTTPRequestHandler, status: int, body: bytes) -> None:
        try:
            handler.send_response(status)
            handler.send_header("Content-Type", "text/xml;charset=UTF-8")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            handler.close_connection = True  # the client had enough of waiting

    def _page(self, call: Call) -> bytes:
        if call.action in ("DescribeInstances", "DescribeVolumes"):
            size = int(call.params.get("MaxResults", PAGE))
            pages = self._ready(call.action, call.region, min(size, self.page))
            return pages[int(call.params.get("NextToken", "0"))]
        return _envelope(call.action, _OTHERS[call.action](self.account, call), "")

    def _ready(self, action: str, region: str, size: int = PAGE) -> list[bytes]:
        with self._lock:
            asked = (f"{action}{size}", region)
            known = self._pages.get(asked)
            if known is None:
                numbers = self.account.numbers(region)
                if action == "DescribeInstances":
                    items, kind = [instance(self.account, region, number) for number in numbers], "reservationSet"
                else:
                    items, kind = [volumes(region, number) for number in numbers if self.account.volumes], "volumeSet"
                    size = max(1, size // 2)
                parts = [items[start : start + size] for start in range(0, len(items), size)] or [[]]
                known = [
                    _envelope(action, f"<{kind}>{''.join(part)}</{kind}>", str(number) if number < len(parts) else "")
                    for number, part in enumerate(parts, start=1)
                ]
                self._pages[asked] = known
            return known


def _envelope(action: str, body: str, token: str) -> bytes:
    if action == "AssumeRole":
        return body.encode()
    following = f"<nextToken>{token}</nextToken>" if token else ""
    head = f'<?xml version="1.0" encoding="UTF-8"?><{action}Response xmlns="{NAMESPACE}"><requestId>r</requestId>'
    return f"{head}{body}{following}</{action}Response>".encode()


def _zones(account: Account, call: Call) -> str:
    items = "".join(
        f"<item><zoneName>{call.region}{letter}</zoneName><zoneState>available</zoneState><regionName>{call.region}</regionName>"
        f"<zoneId>{call.region.replace('-', '')[:4]}-az{number}</zoneId><messageSet/></item>"
        for number, letter in enumerate("abc", start=1)
    )
    return f"<availabilityZoneInfo>{items}</availabilityZoneInfo>"


def _regions(account: Account, call: Call) -> str:
    return f"<regionInfo>{''.join(f'<item><regionName>{name}</regionName></item>' for name in account.regions)}</regionInfo>"


def _images(account: Account, call: Call) -> str:
    ids = [value for name, value in call.params.items() if name.startswith("Filter.1.Value.")]
    items = "".join(f"<item><imageId>{one}</imageId><name>debian-12-amd64-20260115-1</name></item>" for one in ids)
    return f"<imagesSet>{items}</imagesSet>"


def _role(account: Account, call: Call) -> str:
    number = re.sub(r"\D", "", call.params["RoleArn"])
    return (
        '<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>ASIA{number}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>"
        "<Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
    )


_OTHERS: Mapping[str, Callable[[Account, Call], str]] = {
    "DescribeAddresses": lambda account, call: "<addressesSet/>",
    "DescribeAvailabilityZones": _zones,
    "DescribeImages": _images,
    "DescribeRegions": _regions,
    "AssumeRole": _role,
}


def main() -> None:
    """Serve until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=1000)
    parser.add_argument("--regions", type=int, default=1, choices=range(1, len(REGIONS) + 1), metavar=f"1..{len(REGIONS)}")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--handshakes", type=int, default=0, help="round trips before the first request of a connection")
    arguments = parser.parse_args()
    account = Account(arguments.instances, REGIONS[: arguments.regions])
    with Replay(account, latency=arguments.latency, handshakes=arguments.handshakes) as endpoint:
        endpoint.warm_up()
        print(endpoint.url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
