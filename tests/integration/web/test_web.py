# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The roles web_server and static_site on a real machine, from nothing to a served site and through what goes wrong.

One machine; each test goes on from where the one before it ended.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

from .conftest import IMAGES, ROOT, WHOLE, Run, Web

pytestmark = pytest.mark.machine

WEB_SERVER: list[dict[str, Any]] = [{"import_role": {"name": "steadfast.ec2.web_server"}}]
STATIC_SITE: list[dict[str, Any]] = [{"import_role": {"name": "steadfast.ec2.static_site"}}]
ROLLBACK: list[dict[str, Any]] = [{"import_role": {"name": "steadfast.ec2.static_site", "tasks_from": "rollback"}}]

#: Tasks whose diff has to be the same in check mode and when they are carried out.
WITH_DIFF = ("Mount the volume", "Write the configuration, tested first", "Deploy the site")


@pytest.fixture(scope="module")
def runs(web: Web) -> list[Run]:
    """check, apply, apply, check of the whole."""
    return [web.play(WHOLE, *arguments) for arguments in (("--check",), (), (), ("--check",))]


def test_four_ways(runs: list[Run]) -> None:
    """Changed yes, yes, no, no; the first check runs on a machine without nginx."""
    assert [run.changed > 0 for run in runs] == [True, True, False, False]
    assert [run.warned for run in runs] == [False] * 4


@pytest.mark.parametrize("task", WITH_DIFF)
def test_check_mode_shows_what_is_then_done(runs: list[Run], task: str) -> None:
    """The diff of the first check is the diff of the run."""
    assert "+++ after" in runs[0].task(task)
    assert runs[0].task(task) == runs[1].task(task)


def test_pages_and_images_are_served(web: Web, runs: list[Run]) -> None:
    """The page, an image of the archive, and one that was on the machine before it had a volume."""
    assert "Moso Nursery" in web.get("/")
    assert web.get("/images/grove.svg").startswith("200 <svg")
    assert web.get("/images/legacy.svg") == "200 legacy\n"
    assert web.shell(f"findmnt -no FSTYPE {IMAGES}") == "ext4"


def test_headers_compression_and_hidden_files(web: Web, runs: list[Run]) -> None:
    """Security headers are on pages and images alike; images may be kept, text is compressed, hidden files are nobody's business."""
    page, image = web.get("/", "--head"), web.get("/images/grove.svg", "--head")
    for answer in (page, image):
        assert "X-Content-Type-Options: nosniff" in answer
        assert "nginx/" not in answer
    assert "Cache-Control: max-age=2592000" in image
    assert "Content-Encoding: gzip" in web.get("/css/site.css", "--head", "-H", "Accept-Encoding: gzip")
    assert web.get("/.git/config").startswith("404")


@pytest.mark.parametrize("arguments", [["--check"], []])
def test_a_configuration_that_nginx_refuses_is_not_put_in_place(web: Web, runs: list[Run], arguments: list[str]) -> None:
    """The task fails with nginx's own words, check mode does too, and the next boot finds the good configuration."""
    before = web.shell("find /etc/nginx -type f | sort | xargs md5sum")
    sites = [{"name": "default", "default": True, "extra": "no_such_directive on;"}]
    run = web.play(WEB_SERVER, *arguments, ends_well=False, web_server_sites=sites)
    assert 'unknown directive "no_such_directive"' in run.output
    assert web.shell("find /etc/nginx -type f | sort | xargs md5sum; nginx -t -q") == before
    assert "Moso Nursery" in web.get("/")


def test_a_reload_keeps_the_process(web: Web, runs: list[Run]) -> None:
    """A changed site is reloaded; the master process, and with it open connections, stay."""
    before = web.shell("cat /run/nginx.pid")
    run = web.play(WEB_SERVER, web_server_headers={"X-Robots-Tag": "noindex"})
    assert run.changed == 2  # the file and the reload
    assert "X-Robots-Tag: noindex" in web.get("/", "--head")
    assert web.shell("cat /run/nginx.pid") == before


def test_a_release_that_is_not_served_is_taken_back(web: Web, runs: list[Run], tmp_path: Path) -> None:
    """The link leads to the release before, the visitor sees the page as before, and the error says what was answered."""
    current = web.shell("readlink /var/www/html/current")
    run = web.play(STATIC_SITE, ends_well=False, static_site_archive=archive(tmp_path, "broken"), static_site_probe_timeout=1)
    assert "status 200 without that text" in run.output
    assert web.shell("readlink /var/www/html/current") == current
    assert "Moso Nursery" in web.get("/")


def test_a_new_release_and_the_way_back(web: Web, runs: list[Run], tmp_path: Path) -> None:
    """The second release keeps the images, and the rollback leads to the first."""
    web.play(STATIC_SITE, static_site_archive=archive(tmp_path, "Moso Nursery, new"))
    assert web.get("/") == "200 Moso Nursery, new"
    assert web.get("/images/legacy.svg") == "200 legacy\n"
    web.play(ROLLBACK)
    assert web.get("/").startswith("200 <!doctype html>")


def archive(folder: Path, text: str) -> str:
    """A site of one page."""
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text(text)
    (folder / "site.zip").write_bytes(runpy.run_path(str(ROOT / "examples" / "pack.py"))["packed"](folder / "site"))
    return str(folder / "site.zip")


def test_nginx_does_not_serve_without_its_volume(web: Web, runs: list[Run]) -> None:
    """Unmounted, what lies hidden below the mount point is not served: nginx stops, and starts again with the mount."""
    web.shell(f"umount {IMAGES}; mkdir -p {IMAGES}; echo hidden > {IMAGES}/hidden.svg")
    web.shell("for i in $(seq 50); do systemctl is-active -q nginx || exit 0; sleep 0.2; done; exit 1")
    assert web.get("/images/hidden.svg").startswith("000")
    web.shell(f"rm {IMAGES}/hidden.svg; systemctl start nginx")
    assert web.shell(f"findmnt -no FSTYPE {IMAGES}") == "ext4"
    assert web.get("/images/legacy.svg") == "200 legacy\n"


def test_everything_is_served_again_after_a_reboot(web: Web, runs: list[Run]) -> None:
    """nginx starts by itself, after its mount."""
    web.reboot()
    web.shell("for i in $(seq 100); do systemctl is-active -q nginx && exit 0; sleep 0.2; done; exit 1")
    assert "Moso Nursery" in web.get("/")
    assert web.get("/images/legacy.svg") == "200 legacy\n"
