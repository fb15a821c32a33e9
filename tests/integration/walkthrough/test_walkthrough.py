# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The administrator's walkthrough, from an empty account to a served site and away again, looked at with stock tools only.

One story on one sandbox: each test goes on from where the one before it ended.
"""

from __future__ import annotations

import pytest

from .check import drift_check
from .story import IMAGES, Run, Story

pytestmark = pytest.mark.machine

#: Tasks whose diff has to be the same in check mode and when they are carried out.
WITH_DIFF = ("From volume to mounted filesystem", "Write the configuration, tested first", "Deploy the site")


def test_check_mode_on_an_empty_account_predicts_the_whole_fleet(story: Story) -> None:
    """Before anything exists, check mode runs to its end, names every resource, and sends no write call."""
    run = story.play("site.yml", "--check", "--diff")
    assert story.writes_of(run) == []
    for kind in ("key_pair", "security_group", "instance", "volume", "elastic_ip"):
        assert f"{kind} " in run.output
    assert "(known after apply)" in run.output
    assert run.warnings == []


@pytest.fixture(scope="module")
def first(story: Story) -> list[Run]:
    """Check mode and the run, on a machine that is as it came from its image."""
    story.play("provision.yml")
    return [story.play("site.yml", "--diff", *arguments) for arguments in (("--check",), ())]


def test_one_run_brings_the_site_up(story: Story, first: list[Run]) -> None:
    """One run of the playbook ends with the page served on the public address."""
    assert [run.changed > 0 for run in first] == [True, True]
    assert [run.warnings for run in first] == [[], []]
    assert "<title>" in story.curl("/")


@pytest.mark.parametrize("task", WITH_DIFF)
def test_check_mode_shows_what_is_then_done(first: list[Run], task: str) -> None:
    """On a machine without nginx and with a blank disk, the diff of the check is the diff of the run."""
    assert "+++ after" in first[0].task(task)
    assert first[0].task(task) == first[1].task(task)


def test_a_second_run_changes_nothing(story: Story) -> None:
    """Running it again reports no change and sends no write call."""
    run = story.play("site.yml")
    assert (run.changed, story.writes_of(run), run.warnings) == (0, [], [])


def test_headers_compression_and_hidden_files(story: Story) -> None:
    """Security headers are on pages and images alike; images may be kept, text is compressed, hidden files are nobody's business."""
    page, image = story.curl("/", "--head"), story.curl("/images/grove.svg", "--head")
    for answer in (page, image):
        assert "X-Content-Type-Options: nosniff" in answer
        assert "nginx/" not in answer
    assert "Cache-Control: max-age=2592000" in image
    assert story.is_compressed("/css/site.css")
    assert story.status("/.git/config") == "404"


def test_the_images_are_on_an_ext4_partition_of_the_attached_volume(story: Story) -> None:
    """findmnt in the machine and describe-volumes outside name the same EBS volume."""
    source, fstype = story.ssh("findmnt", "-no", "SOURCE,FSTYPE", IMAGES).split()
    assert fstype == "ext4"
    disk = story.ssh("lsblk", "-ndo", "PKNAME", source).strip()
    serial = story.ssh("lsblk", "-ndo", "SERIAL", f"/dev/{disk}").strip()
    attached = [volume for volume in story.volumes() if volume["VolumeId"].replace("-", "") == serial]
    assert [volume["State"] for volume in attached] == ["in-use"]


def test_fstab_has_one_line_for_it_by_uuid(story: Story) -> None:
    """The mount survives a reboot by exactly one line of /etc/fstab, by UUID and with nofail."""
    uuid = story.ssh("findmnt", "-no", "UUID", IMAGES).strip()
    lines = [line.split() for line in story.ssh("cat", "/etc/fstab").splitlines() if IMAGES in line and not line.startswith("#")]
    assert [line[:3] for line in lines] == [[f"UUID={uuid}", IMAGES, "ext4"]]
    assert "nofail" in lines[0][3].split(",")


def test_what_was_in_the_folder_is_served_from_the_volume(story: Story) -> None:
    """The images that user data put there before the volume was mounted are on the volume, and served."""
    names = [name for name in story.ssh("ls", IMAGES).split() if name != "lost+found"]
    assert names
    for name in names:
        assert story.curl(f"/images/{name}", "--output", "/dev/null", "--write-out", "%{http_code}") == "200"


def test_a_closed_port_does_not_answer_and_an_opened_one_does(story: Story) -> None:
    """Revoking the rule for port 80 with awscli closes the site; authorising it again opens it."""
    # with its description, or the fleet would rightly call the new rule a difference
    anybody = '{"CidrIp": "0.0.0.0/0", "Description": "visitors"}'
    rule = f'[{{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{anybody}]}}]'
    story.aws("revoke-security-group-ingress", "--group-id", story.web_group(), "--ip-permissions", rule)
    assert not story.answers()
    story.aws("authorize-security-group-ingress", "--group-id", story.web_group(), "--ip-permissions", rule)
    assert story.wait_until_it_answers()


def test_the_site_is_back_after_a_reboot(story: Story) -> None:
    """After reboot-instances the machine has started anew, and serves the page and the images."""
    before = story.boot_id()
    story.aws("reboot-instances", "--instance-ids", story.instance()["InstanceId"])
    story.wait_for_new_boot(before)
    assert story.wait_until_it_answers()
    assert story.ssh("findmnt", "-no", "FSTYPE", IMAGES).strip() == "ext4"
    assert story.image_is_served()


def test_after_all_that_there_is_no_drift(story: Story) -> None:
    """A port that was closed and opened again, and a reboot, are no drift: exit code 0, nothing found, nothing written."""
    check = drift_check(story)
    assert (check.code, check.report["findings"], check.writes) == (0, [], []), check.output


def test_teardown_keeps_the_data(story: Story) -> None:
    """Teardown takes the machine, its address, key and group away; the volume with the data stays, free to attach."""
    run = story.play("teardown.yml")
    assert run.changed > 0
    assert story.instances() == []
    # the volume that the machine booted from goes a moment after it
    assert story.comes_true(lambda: [volume["State"] for volume in story.volumes()] == ["available"])


def test_teardown_deletes_the_data_only_when_told(story: Story) -> None:
    """With the variable for it, teardown deletes the volume too; the account is empty again."""
    story.play("teardown.yml", "-e", "teardown_delete_volumes=true")
    assert story.comes_true(lambda: story.volumes() == [])
    assert story.aws("describe-addresses")["Addresses"] == []
    assert story.aws("describe-key-pairs")["KeyPairs"] == []
