# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A site that is up, and what happens to it in the course of time: bad configurations, releases, interrupted runs, changes by
hand, backups, growth, a monitor.

One story on one sandbox: each test goes on from where the one before it ended, and leaves the site as it is declared.
"""

from __future__ import annotations

import json
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.support.drift import webhook

from .by_hand import CONFIGURATION, Changed, in_the_account, in_the_machine, take_away
from .check import drift_check
from .monitor import Monitor
from .story import IMAGES, ROOT, Story

pytestmark = [pytest.mark.machine, pytest.mark.long]


@pytest.fixture(scope="module", autouse=True)
def site(story: Story) -> None:
    """The site of the sandbox's inventory, made by one run of the playbook from an empty account."""
    story.play("site.yml")


@pytest.fixture(scope="module")
def changed(story: Story) -> Changed:
    """What somebody changed by hand while the site was running."""
    return Changed(in_the_account(story), *in_the_machine(story))


@pytest.fixture(scope="module")
def monitor(story: Story) -> Iterator[Monitor]:
    """The machine checks itself, whenever its timer says so, and finds one file not as declared."""
    with webhook() as (sent, port):
        monitor = Monitor(story, sent, port)
        monitor.install()
        yield monitor


def test_a_run_that_ended_before_the_reload_is_finished_by_the_next(story: Story) -> None:
    """nginx runs with something else than its file says, which is as declared: the next run says so and reloads it."""
    site = "/etc/nginx/conf.d/steadfast.conf"
    story.ssh(f"cp {site} /tmp/declared && sudo sed -i 's/gzip on/gzip off/' {site} && sudo systemctl reload nginx")
    assert story.comes_true(lambda: not story.is_compressed("/css/site.css"))
    story.ssh(f"sudo cp /tmp/declared {site}")
    assert story.role("web_server").changed == 2  # the configuration and the reload
    assert story.comes_true(lambda: story.is_compressed("/css/site.css"))


@pytest.mark.parametrize("arguments", [["--check"], []])
def test_a_configuration_that_nginx_refuses_is_not_put_in_place(story: Story, arguments: list[str]) -> None:
    """The task fails with nginx's own words, check mode does too, and the next boot finds the good configuration."""
    before = story.ssh("sudo find /etc/nginx -type f | sort | sudo xargs md5sum")
    sites = [{"name": "default", "default": True, "extra": "no_such_directive on;"}]
    run = story.role("web_server", *arguments, ends_well=False, web_server_sites=sites)
    assert 'unknown directive "no_such_directive"' in run.output
    assert story.ssh("sudo find /etc/nginx -type f | sort | sudo xargs md5sum; sudo nginx -t -q") == before
    assert "<title>" in story.curl("/")


def test_a_configuration_changed_by_hand_is_restored_by_a_reload(story: Story) -> None:
    """What was changed and put in force is as declared again; the master process, and with it open connections, stay."""
    story.ssh("sudo sed -i 's/gzip on/gzip off/' /etc/nginx/conf.d/steadfast.conf && sudo systemctl reload nginx")
    assert not story.is_compressed("/css/site.css")
    before = story.ssh("cat /run/nginx.pid")
    assert story.role("web_server").changed == 2  # the file and the reload
    assert story.is_compressed("/css/site.css")
    assert story.ssh("cat /run/nginx.pid") == before


def test_a_release_that_is_not_served_is_taken_back(story: Story, tmp_path: Path) -> None:
    """The link leads to the release before, the visitor sees the page as before, and the error says what was answered."""
    current = story.ssh("readlink /var/www/html/current")
    run = story.role("static_site", ends_well=False, static_site_archive=archive(tmp_path, "broken"), static_site_probe_timeout=1)
    assert "status 200 without that text" in run.output
    assert story.ssh("readlink /var/www/html/current") == current
    assert "<title>" in story.curl("/")


def test_a_new_release_and_the_way_back(story: Story, tmp_path: Path) -> None:
    """The second release keeps the images, and the rollback leads to the first."""
    story.role("static_site", static_site_archive=archive(tmp_path, "Moso Nursery, new"))
    assert story.curl("/") == "Moso Nursery, new"
    assert story.image_is_served()
    story.role("static_site", tasks_from="rollback")
    assert "<title>" in story.curl("/")


def archive(folder: Path, text: str) -> str:
    """A site of one page."""
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text(text)
    (folder / "site.zip").write_bytes(runpy.run_path(str(ROOT / "examples" / "pack.py"))["packed"](folder / "site"))
    return str(folder / "site.zip")


def test_nginx_does_not_serve_without_its_volume(story: Story) -> None:
    """Unmounted, what lies hidden below the mount point is not served: nginx stops, and starts again with the mount."""
    until_stopped = "for i in $(seq 50); do systemctl is-active -q nginx || exit 0; sleep 0.2; done; exit 1"
    story.ssh(f"sudo sh -c 'umount {IMAGES}; mkdir -p {IMAGES}; echo hidden > {IMAGES}/hidden.svg'; {until_stopped}")
    assert story.status("/images/hidden.svg") == "000"
    story.ssh(f"sudo sh -c 'rm {IMAGES}/hidden.svg; systemctl start nginx'")
    assert story.ssh("findmnt", "-no", "FSTYPE", IMAGES).strip() == "ext4"
    assert story.image_is_served()


def test_the_site_is_back_after_stop_and_start_at_the_same_address(story: Story) -> None:
    """After stop-instances and start-instances the Elastic IP serves the page and the images again."""
    address, instance = story.instance()["PublicIpAddress"], story.instance()["InstanceId"]
    before = story.boot_id()
    story.aws("stop-instances", "--instance-ids", instance)
    story.wait_for_state(instance, "stopped")
    assert not story.answers()
    story.aws("start-instances", "--instance-ids", instance)
    story.wait_for_new_boot(before)
    assert story.instance()["PublicIpAddress"] == address
    assert story.wait_until_it_answers()
    assert story.image_is_served()


def test_each_change_by_hand_is_reported_once(story: Story, changed: Changed) -> None:
    """Three changes with awscli and six over ssh at once: each is there with expected and actual, and nothing else but the reload that
    would follow."""
    check = drift_check(story)
    found = check.drift()
    assert (check.code, check.writes) == (2, []), check.output
    expected, actual = found.pop(("security_group moso-web-dev-sg", "rules"))
    assert [rule for rule in actual if rule not in expected] == ["tcp 8080 from 0.0.0.0/0"]
    expected, actual = found.pop((f"file {CONFIGURATION}", "content"))
    assert "1 missing or different" in expected and "1 not expected" in actual
    assert found.pop(("link current", "added"))[1] is None
    assert found == changed.expected()
    assert check.others == {("consequence", "Reload nginx")}


def test_after_correction_there_is_no_drift(story: Story, changed: Changed) -> None:
    """One run of the playbook, and the volume of nobody taken away: exit code 0, and all nine are resolved."""
    take_away(story, changed.volume)
    story.play("site.yml")
    check = drift_check(story)
    assert (check.code, check.report["findings"]) == (0, []), check.output
    assert len(check.report["resolved"]) == 9


def test_a_backup_is_whole_and_the_site_goes_on(story: Story) -> None:
    """The filesystem stands still while its snapshot begins, and goes on: what is written before is in it, and the page is served."""
    story.ssh(f"echo whole | sudo tee {IMAGES}/before-backup.txt")
    run = story.play("backup.yml", "-e", "backup_stamp=today")
    assert run.changed > 0
    (snapshot,) = story.aws("describe-snapshots", "--owner-ids", "self")["Snapshots"]
    (volume,) = [one["VolumeId"] for one in story.volumes()]
    assert snapshot["VolumeId"] == volume
    story.ssh(f"echo on | sudo tee {IMAGES}/after-backup.txt")
    assert story.image_is_served()
    assert story.play("backup.yml", "-e", "backup_stamp=today").changed == 0


def test_a_size_raised_in_the_declaration_is_more_room_after_one_run(story: Story) -> None:
    """The EBS volume grows, then partition and filesystem, while the site is served; the next run has nothing to do."""
    declared = yaml.safe_load((ROOT / "inventories" / "sandbox" / "group_vars" / "all.yml").read_text())["site_instances"]
    declared[0]["volumes"][0]["size"] = 2
    larger = ("-e", json.dumps({"site_instances": declared}))
    assert story.play("site.yml", *larger).changed > 0
    assert int(story.ssh("df", "--output=size", "-B1", IMAGES).split()[-1]) > 1.8 * (1 << 30)
    assert story.image_is_served()
    assert story.play("site.yml", *larger).changed == 0


def test_a_monitor_alerts_once_for_a_change(monitor: Monitor) -> None:
    """A check that its timer starts tells the webhook once what differs, and nothing more in the runs after it."""
    assert monitor.comes_true(lambda: monitor.told)
    monitor.after_a_whole_run()
    assert monitor.told == [(1, 0)]
    (attribute,) = monitor.sent[0]["new"][0]["attributes"]
    assert (attribute["expected"], attribute["actual"]) == ("declared", "by hand")
    (finding,) = monitor.history()["findings"].values()
    assert finding["occurrences"] > 1


def test_a_monitor_survives_a_crash_in_the_middle_of_writing_its_state(monitor: Monitor) -> None:
    """Killed with half of its history written, it still has the one before, and tells nobody again."""
    before = monitor.history()["findings"].keys()
    assert monitor.crash()
    half = monitor.left_behind()
    assert half and all(name.startswith(".history.json.") for name in half)
    assert monitor.history()["findings"].keys() == before
    assert monitor.told == [(1, 0)]


def test_a_monitor_tells_that_it_is_over_once(monitor: Monitor) -> None:
    """What is put right is told once, by a run after the crash, which takes away what that one left behind."""
    monitor.put_right()
    assert monitor.comes_true(lambda: len(monitor.told) > 1)
    assert monitor.told == [(1, 0), (0, 1)]
    assert monitor.left_behind() == []


def test_a_monitor_makes_up_for_what_it_missed_while_it_was_off(monitor: Monitor) -> None:
    """The only moment of its timer passes while the machine is stopped; so it is the start of the machine that makes it run."""
    story = monitor.story
    monitor.only_once_from_now()
    monitor.change()
    instance, before = story.instance()["InstanceId"], story.boot_id()
    story.aws("stop-instances", "--instance-ids", instance)
    story.wait_for_state(instance, "stopped")
    assert monitor.told == [(1, 0), (0, 1)]
    story.aws("start-instances", "--instance-ids", instance)
    story.wait_for_new_boot(before)
    assert monitor.comes_true(lambda: len(monitor.told) > 2)
    assert monitor.told == [(1, 0), (0, 1), (1, 0)]
    monitor.schedule("absent")
    assert not monitor.is_scheduled()
