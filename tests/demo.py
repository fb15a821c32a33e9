# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What `./dev demo` shows of the machine that it made: with curl, ssh and aws only, every command printed as it could be typed."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from typing import Any

IMAGES = "/var/www/html/images"
MINUTES_TO_COME_BACK = 4


class Unproven(Exception):
    """Something that the demonstration promises is not so."""


def run(*argv: str, check: bool = True) -> str:
    """The output of a command; raises Unproven when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    if check and done.returncode:
        raise Unproven(f"{shlex.join(argv)}\nended with status {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout if done.returncode == 0 else ""


def show(*argv: str) -> str:
    """Print a command as a person would type it, run it, print what it says, and return that."""
    output = run(*argv).strip()
    print(f"\n$ {shlex.join(argv)}")
    print("\n".join(f"  {line}" for line in output.splitlines()[:12]), flush=True)
    return output


def web_server() -> dict[str, Any]:
    """The running machine that the demonstration made, as the sandbox describes it."""
    status = json.loads(run(sys.executable, "-m", "sandbox", "status", "--json"))
    running = [instance for instance in status["instances"] if instance["state"] == "running" and instance["public_ip"]]
    if not running:
        raise Unproven("no instance with a public address is running")
    machine = dict(running[0])
    if not machine["key_file"]:
        raise Unproven(f"the private key of {machine['key_name']} is in none of the places where the sandbox looks for it")
    return machine


def ssh(machine: dict[str, Any]) -> list[str]:
    """The ssh command line that logs in to `machine`."""
    quiet = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    return ["ssh", "-i", machine["key_file"], *quiet, f"{machine['user']}@{machine['public_ip']}"]


def prove() -> None:
    """The site is served, its images come from the EBS volume, and the machine will mount it again by itself."""
    machine = web_server()
    site = f"http://{machine['public_ip']}/"
    page = run("curl", "-sS", "--fail", "--noproxy", "*", site)
    title = re.search(r"<title>(.*?)</title>", page, re.S)
    print(f"\n$ curl {site}\n  {len(page)} bytes: {title.group(0) if title else page[:60]}")
    image = re.search(r"images/[\w./-]+", page)
    if not image:
        raise Unproven("the page shows no image from /images/")
    answer = show("curl", "-sS", "--fail", "--head", "--noproxy", "*", site + image.group(0))
    if "Content-Type: image/" not in answer:
        raise Unproven(f"{image.group(0)} is not answered with an image")
    mount = show(*ssh(machine), "findmnt", "--noheadings", "--output", "SOURCE,FSTYPE,UUID,TARGET", IMAGES)
    uuid = mount.split()[2]
    if mount.split()[1] != "ext4":
        raise Unproven(f"{IMAGES} is not an ext4 filesystem of its own")
    if len(show(*ssh(machine), "grep", uuid, "/etc/fstab").splitlines()) != 1:
        raise Unproven("/etc/fstab should have one line for the filesystem")
    serial = show(*ssh(machine), "lsblk", "--nodeps", "--noheadings", "--output", "NAME,SIZE,SERIAL")
    table = ("--query", "Volumes[].[VolumeId,Size,State,Attachments[0].InstanceId,Tags[?Key==`Name`]|[0].Value]")
    volumes = show("aws", "ec2", "describe-volumes", *table, "--output", "text")
    data = [volume["id"] for volume in machine["volumes"] if not volume["root"]]
    if not all(volume in volumes and volume.replace("-", "") in serial for volume in data) or not data:
        raise Unproven("the disk in the machine is not the EBS volume that the API shows")


def reboot() -> None:
    """Reboot by the API, and wait until the machine that answers is one that has started anew."""
    machine = web_server()
    boot = (*ssh(machine), "cat", "/proc/sys/kernel/random/boot_id")
    before = run(*boot)
    show("aws", "ec2", "reboot-instances", "--instance-ids", machine["id"])
    deadline = time.monotonic() + 60 * MINUTES_TO_COME_BACK
    while run(*boot, check=False) in ("", before) or not run(
        "curl", "-s", "--noproxy", "*", f"http://{machine['public_ip']}/", check=False
    ):
        if time.monotonic() > deadline:
            raise Unproven(f"{machine['id']} did not come back within {MINUTES_TO_COME_BACK} minutes of its reboot")
        time.sleep(1)


def look() -> None:
    """How to look around, and how to end it."""
    machine = web_server()
    print(f"""
Look around; it keeps running:
  curl http://{machine["public_ip"]}/                     the site
  ./dev sandbox status                         what runs, with addresses and volumes
  ./dev sandbox ssh {machine["name"]:<10}                 into the machine (sudo works; try: lsblk, df -h, cat /etc/fstab)
  {shlex.join(ssh(machine))}
  ./dev shell aws ec2 describe-instances       stock tools against the local EC2
  ./dev shell ansible-inventory -i inventories/sandbox --graph
  ./dev shell ansible-playbook -i inventories/sandbox playbooks/site.yml --check --diff
  ./dev demo --clean                           end it and take away what it started""")


if __name__ == "__main__":
    try:
        {"prove": prove, "reboot": reboot, "look": look}[sys.argv[1]]()
    except (Unproven, subprocess.TimeoutExpired) as error:
        sys.exit(f"dev: {error}")
