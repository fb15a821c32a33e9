# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What somebody changes on a running site by hand, with awscli and over ssh, and what a drift check has to say about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .story import IMAGES, Story

SITE = "/var/www/html"
CONFIGURATION = "/etc/nginx/conf.d/steadfast.conf"
#: A rule that nobody declared.
OPENED = '[{"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]'


@dataclass(frozen=True)
class Changed:
    """What was changed while the site was running: the volume of nobody, the release that is live, and its line of fstab."""

    volume: str
    release: str
    line: str

    def expected(self) -> dict[tuple[str, str], tuple[Any, Any]]:
        """What a drift check has to say about all of it; but for the rule, nginx's configuration, and what else the release has."""
        return {
            ("instance web", "tags.Owner"): ("web-team", "somebody"),
            (f"volume {self.volume}", "instance"): (None, "web"),
            (f"volume {self.volume}", "device"): (None, "/dev/sdp"),
            (f"fstab {IMAGES}", "lines"): (self.line, None),
            (f"mount {IMAGES}", "write"): ("rw", "ro"),
            ("nginx", "state"): ("started", "inactive"),
            (f"release {self.release}", "owner or mode"): (None, ["index.html"]),
            ("link current", "release"): (self.release, f"{SITE}/by-hand"),
        }


def in_the_account(story: Story) -> str:
    """A rule, a tag, and a volume that nobody declared, attached to the machine: its id."""
    instance = story.instance()
    story.aws("authorize-security-group-ingress", "--group-id", story.web_group(), "--ip-permissions", OPENED)
    story.aws("create-tags", "--resources", instance["InstanceId"], "--tags", "Key=Owner,Value=somebody")
    zone = instance["Placement"]["AvailabilityZone"]
    volume = str(story.aws("create-volume", "--availability-zone", zone, "--size", "1")["VolumeId"])
    story.wait_for_state(volume, "available")
    story.aws("attach-volume", "--volume-id", volume, "--instance-id", instance["InstanceId"], "--device", "/dev/sdp")
    story.wait_for_state(volume, "in-use")
    return volume


def in_the_machine(story: Story) -> tuple[str, str]:
    """fstab, mount, nginx's configuration and service, a file's owner, the link to the release; (release, line of fstab) before."""
    release = story.ssh("basename", f"$(readlink {SITE}/current)").strip()
    line = story.ssh("grep", IMAGES, "/etc/fstab").strip()
    commands = (
        f"sed -i '\\|{IMAGES}|d' /etc/fstab",
        f"mount -o remount,ro {IMAGES}",
        f"sed -i 's/gzip on/gzip off/' {CONFIGURATION}",
        "systemctl stop nginx",
        f"chown www-data {SITE}/releases/{release}/index.html",
        f"mkdir {SITE}/by-hand",
        f"ln -sfn {SITE}/by-hand {SITE}/current",
    )
    story.ssh(f'sudo sh -c "{" && ".join(commands)}"')
    return release, line


def take_away(story: Story, volume: str) -> None:
    """A volume that no playbook takes away."""
    story.aws("detach-volume", "--volume-id", volume)
    story.wait_for_state(volume, "available")
    story.aws("delete-volume", "--volume-id", volume)
