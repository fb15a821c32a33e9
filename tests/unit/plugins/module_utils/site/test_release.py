# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Releases of a site on a disk: what goes live, what stays, what is refused, and the way back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import Busy, InvalidInput, NotFound, Refused, SteadfastError
from ansible_collections.steadfast.ec2.plugins.module_utils.site import layout
from ansible_collections.steadfast.ec2.plugins.module_utils.site import release as release_module
from ansible_collections.steadfast.ec2.plugins.module_utils.site.archive import read_files, sha256_of
from ansible_collections.steadfast.ec2.plugins.module_utils.site.files import locked
from ansible_collections.steadfast.ec2.plugins.module_utils.site.layout import ARCHIVE_NEEDED

from .conftest import Site, make_zip, serving

ONE = {"index.html": "one", "css/site.css": "a", "images/logo.png": "logo"}
TWO = {"index.html": "two", "css/site.css": "a", "new.html": "n"}
THREE = {"index.html": "three"}


def test_check_and_apply_agree_four_ways(site: Site) -> None:
    """check, apply, apply, check: yes, yes, no, no, with equal plans and diffs, and nothing written in the checks."""
    archive, before = site.tar(ONE), site.snapshot()
    runs = [site.run(archive=archive, shared=["images"], check_mode=True)]
    assert site.snapshot() == before
    runs += [site.run(archive=archive, shared=["images"], check_mode=check) for check in (False, False, True)]
    assert [run["changed"] for run in runs] == [True, True, False, False]
    assert (runs[0]["diff"], runs[0]["plan"], runs[0]["release"]) == (runs[1]["diff"], runs[1]["plan"], runs[1]["release"])


def test_check_mode_is_exact_without_the_archive(site: Site) -> None:
    """With the list of files alone, the plan is the one that the archive gives."""
    archive = site.tar(ONE)
    manifest = {path: entry.to_dict() for path, entry in read_files(archive).items()}
    predicted = site.run(manifest=manifest, checksum=sha256_of(archive), shared=["images"], check_mode=True)
    assert predicted["diff"] == site.run(archive=archive, shared=["images"])["diff"]


def test_a_release_is_served_with_its_shared_path(site: Site) -> None:
    """Pages come from the release, and what lies below a shared path from there."""
    site.deploy(ONE, shared=["images"])
    assert (site.served("index.html"), site.served("images/logo.png")) == ("one", "logo")
    assert (site.root / "images/logo.png").is_file()
    assert os.readlink(site.root / "current/images") == "../../images"


def test_the_same_content_packed_otherwise_changes_nothing(site: Site) -> None:
    """Times, order and format of the archive are not content."""
    site.deploy(ONE)
    packed = make_zip(site.folder / "again.zip", dict(reversed(ONE.items())))
    assert site.run(archive=str(packed))["changed"] is False
    assert site.run(archive=site.tar(ONE, mtime=1))["changed"] is False


def test_the_diff_counts_and_names_the_files(site: Site) -> None:
    """Release before and after, and which files were added, removed and changed."""
    before = site.deploy(ONE)["release"]["id"]
    result = site.deploy(TWO)
    (link,) = [change for change in result["diff"] if change["before_header"] == "link current"]
    assert link["before"] == {"release": before}
    assert link["after"] == {
        "release": result["release"]["id"],
        "added": {"count": 1, "names": ["new.html"]},
        "removed": {"count": 1, "names": ["images/logo.png"]},
        "changed": {"count": 1, "names": ["index.html"]},
    }


def test_a_known_checksum_needs_no_archive(site: Site) -> None:
    """The checksum of an archive that was deployed here is enough, so that it is not sent again."""
    archive = site.tar(ONE)
    site.run(archive=archive)
    site.deploy(TWO)
    Path(archive).rename(site.folder / "gone.gz")
    checksum = sha256_of(str(site.folder / "gone.gz"))
    assert site.run(checksum=checksum)["changed"] is True
    assert site.served("index.html") == "one"


def test_an_unknown_checksum_asks_for_the_archive(site: Site) -> None:
    """The error has a code of its own, which the action answers by sending the archive."""
    with pytest.raises(NotFound) as failure:
        site.run(checksum="0" * 64)
    assert failure.value.code == ARCHIVE_NEEDED


def test_a_wrong_checksum_is_refused_before_anything_is_written(site: Site) -> None:
    """An archive that is not the declared one is not unpacked."""
    before = site.snapshot()
    with pytest.raises(InvalidInput, match="not the one declared"):
        site.deploy(ONE, checksum="0" * 64)
    assert site.snapshot() == before


# --- shared paths


def test_files_of_others_under_a_shared_path_are_kept(site: Site) -> None:
    """An upload stays, also where the archive has a file of that name; it is named in the result."""
    (site.root / "images").mkdir(parents=True)
    (site.root / "images/logo.png").write_text("uploaded")
    (site.root / "images/party.jpg").write_text("party")
    result = site.deploy(ONE, shared=["images"])
    assert result["kept"] == ["images/logo.png"]
    assert (site.served("images/logo.png"), site.served("images/party.jpg")) == ("uploaded", "party")
    assert site.deploy(ONE, shared=["images"])["changed"] is False


def test_shared_files_of_an_earlier_release_are_replaced(site: Site) -> None:
    """What a release put there follows the release; what somebody changed since does not."""
    site.deploy({**ONE, "images/map.svg": "old map"}, shared=["images"])
    (site.root / "images/map.svg").write_text("my map")
    result = site.deploy({**ONE, "images/logo.png": "new logo", "images/map.svg": "new map"}, shared=["images"])
    assert (site.served("images/logo.png"), site.served("images/map.svg")) == ("new logo", "my map")
    assert result["kept"] == ["images/map.svg"]


def test_a_shared_file_that_is_gone_is_put_back(site: Site) -> None:
    """What the archive declares is there after each run."""
    archive = site.tar(ONE)
    site.run(archive=archive, shared=["images"])
    (site.root / "images/logo.png").unlink()
    assert site.run(archive=archive, shared=["images"])["changed"] is True
    assert site.served("images/logo.png") == "logo"


def test_nothing_is_written_through_links_below_a_shared_path(site: Site) -> None:
    """Who may upload must not be able to lead the deployment elsewhere."""
    (site.root / "images").mkdir(parents=True)
    (site.folder / "elsewhere").mkdir()
    (site.root / "images/icons").symlink_to(site.folder / "elsewhere")
    with pytest.raises(Refused, match="it is a link"):
        site.deploy({"index.html": "x", "images/icons/a.png": "a"}, shared=["images"])
    assert list((site.folder / "elsewhere").iterdir()) == []


def test_another_set_of_shared_paths_is_another_release(site: Site) -> None:
    """The release before stays as it was, so that the way back works."""
    first = site.deploy(ONE)["release"]["id"]
    second = site.deploy(ONE, shared=["images"])["release"]["id"]
    assert first != second
    assert (site.root / "releases" / first / "images/logo.png").read_text() == "logo"


@pytest.mark.parametrize("path", ["..", "a/../../b", "releases", "current", ".", "releases/x"])
def test_paths_that_cannot_be_shared_are_refused(site: Site, path: str) -> None:
    """A shared path is a folder of its own below the document root."""
    with pytest.raises(InvalidInput, match="can be shared"):
        site.deploy(ONE, shared=[path])


# --- the link


def test_a_real_folder_at_current_is_refused_and_untouched(site: Site) -> None:
    """Somebody's site is never deleted to make room for the link."""
    (site.root / "current").mkdir(parents=True)
    (site.root / "current/index.html").write_text("theirs")
    with pytest.raises(Refused, match="not a link to a release"):
        site.deploy(ONE)
    assert site.served("index.html") == "theirs"


def test_a_page_that_is_not_served_leads_the_link_back(site: Site, web_server: str) -> None:
    """The release before is live again, and the error says what was answered."""
    probe = {"url": f"{web_server}/", "status": [200], "contains": "one", "host": None, "timeout": 0.0}
    site.deploy(ONE, probe=probe)
    with pytest.raises(SteadfastError, match="without that text"):
        site.deploy(TWO, probe=probe)
    assert site.served("index.html") == "one"


def test_a_first_release_that_fails_leaves_nothing_live(site: Site, web_server: str) -> None:
    """There was no site before, so there is none after."""
    probe = {"url": f"{web_server}/", "status": [200], "contains": "other", "host": None, "timeout": 0.0}
    with pytest.raises(SteadfastError):
        site.deploy(ONE, probe=probe)
    assert not (site.root / "current").exists()


def test_a_switch_that_was_never_probed_is_probed_by_the_next_run(site: Site, web_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between switch and probe, the next run does not take the release for good."""
    site.deploy(ONE)
    archive = site.tar(TWO)
    with monkeypatch.context() as patch:
        patch.setattr(release_module, "write_link", _killed_after(release_module.write_link))
        with pytest.raises(KeyboardInterrupt):
            site.run(archive=archive)
    assert site.served("index.html") == "two"
    probe = {"url": f"{web_server}/", "status": [200], "contains": "one", "host": None, "timeout": 0.0}
    with pytest.raises(SteadfastError):
        site.run(archive=archive, probe=probe)
    assert site.served("index.html") == "one"


def _killed_after(function: Any) -> Any:
    def killed(path: str, target: str) -> None:
        function(path, target)
        if path.endswith("/current"):
            raise KeyboardInterrupt

    return killed


# --- the way back


def test_rollback_leads_to_what_was_live_before_and_further(site: Site) -> None:
    """The way back follows what was live, step by step, and ends with a clear error."""
    for files in (ONE, TWO, THREE):
        site.deploy(files)
    for expected in ("two", "one"):
        assert site.run(release="previous")["changed"] is True
        assert site.served("index.html") == expected
    with pytest.raises(NotFound, match="no release to go back to"):
        site.run(release="previous")


def test_rollback_skips_what_was_taken_back(site: Site) -> None:
    """After a way back and a new release, the way back leads to the good one and not to the bad one."""
    site.deploy(ONE)
    site.deploy(TWO)
    site.run(release="previous")
    site.deploy(THREE)
    site.run(release="previous")
    assert site.served("index.html") == "one"


def test_rollback_is_predicted(site: Site) -> None:
    """Check mode says where it would lead, and leads nowhere."""
    site.deploy(ONE)
    site.deploy(TWO)
    predicted = site.run(release="previous", check_mode=True)
    assert site.served("index.html") == "two"
    assert site.run(release="previous")["diff"] == predicted["diff"]


def test_a_named_release_that_is_not_here_is_said_so(site: Site) -> None:
    """The error lists those that are."""
    here = site.deploy(ONE)["release"]["id"]
    with pytest.raises(NotFound, match=here):
        site.run(release="0123456789abcdef")


# --- what is kept, and what is repaired


def test_old_releases_go_but_never_the_live_one_nor_the_one_before(site: Site) -> None:
    """`keep` counts the newest; after a way back the live one may be the oldest, and stays."""
    ids = [site.deploy({"index.html": str(number)}, keep=3)["release"]["id"] for number in range(5)]
    here = {path.name for path in (site.root / "releases").iterdir() if not path.name.startswith(".")}
    assert here == set(ids[2:])
    site.run(release=ids[2], keep=1)
    assert (site.root / "releases" / ids[2]).is_dir()
    assert site.served("index.html") == "2"


def test_keep_1_still_leaves_the_way_back(site: Site) -> None:
    """The release that was live before is never removed."""
    site.deploy(ONE, keep=1)
    site.deploy(TWO, keep=1)
    site.run(release="previous", keep=1)
    assert site.served("index.html") == "one"


def test_folders_of_others_among_the_releases_are_left(site: Site) -> None:
    """Only what this module made is removed."""
    (site.root / "releases/20240101").mkdir(parents=True)
    for number in range(4):
        site.deploy({"index.html": str(number)}, keep=1)
    assert (site.root / "releases/20240101").is_dir()


def test_changed_and_missing_files_of_the_live_release_are_repaired(site: Site) -> None:
    """A page that was edited on the machine, or lost, is as in the archive again; a file of others is named and left."""
    archive = site.tar(ONE)
    release = Path(site.run(archive=archive)["release"]["path"])
    (release / "index.html").write_text("edited")
    (release / "css/site.css").unlink()
    (release / "note.txt").write_text("theirs")
    with pytest.raises(NotFound) as failure:
        site.run(checksum=sha256_of(archive))
    assert failure.value.code == ARCHIVE_NEEDED
    predicted, done = site.run(archive=archive, check_mode=True), site.run(archive=archive)
    assert predicted["diff"] == done["diff"]
    assert (site.served("index.html"), site.served("css/site.css"), site.served("note.txt")) == ("one", "a", "theirs")
    assert done["extra"] == ["note.txt"]
    assert site.run(archive=archive)["changed"] is False


def test_another_mode_is_set_in_place(site: Site) -> None:
    """Owner and mode are part of the declaration, and need no archive."""
    archive = site.tar(ONE)
    site.run(archive=archive)
    assert site.run(checksum=sha256_of(archive), mode="0640")["changed"] is True
    assert oct((site.root / "current/index.html").stat().st_mode)[-3:] == "640"


def test_links_to_a_shared_path_are_repaired(site: Site) -> None:
    """A link that was removed by hand comes back."""
    archive = site.tar(ONE)
    site.run(archive=archive, shared=["images"])
    (site.root / "current/images").unlink()
    assert site.run(archive=archive, shared=["images"])["changed"] is True
    assert site.served("images/logo.png") == "logo"


def test_a_kill_while_unpacking_leaves_the_live_site_and_the_next_run_ends_it(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A release is there whole or not at all."""
    site.deploy(ONE)
    archive = site.tar(TWO)

    def killed(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(release_module.os, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            site.run(archive=archive)
    assert site.served("index.html") == "one"
    site.run(archive=archive)
    assert site.served("index.html") == "two"
    assert not list((site.root / "releases").glob(".unpack*"))


def test_too_little_space_is_refused_before_anything_is_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of the release is compared with what is free."""
    monkeypatch.setattr(layout, "_free_bytes", lambda path: 3)
    before = site.snapshot()
    with pytest.raises(Refused, match="not enough space"):
        site.deploy(ONE)
    assert site.snapshot() == before


def test_two_runs_at_once_do_not_mix(site: Site) -> None:
    """The second says that the first is at it."""
    site.root.mkdir()
    with locked(str(site.root)), pytest.raises(Busy, match="another run"):
        site.deploy(ONE)


# --- from an address


def test_an_archive_is_fetched_and_then_known_by_its_checksum(site: Site) -> None:
    """With the checksum declared, the second run fetches nothing."""
    archive, asked = Path(site.tar(ONE)), []

    def answer(path: str) -> tuple[int, bytes]:
        asked.append(path)
        return 200, archive.read_bytes()

    with serving(answer) as address:
        options = {"url": f"{address}/site.tar.gz", "checksum": sha256_of(str(archive))}
        runs = [site.run(**options)["changed"] for _ in range(2)]
    assert (runs, asked) == ([True, False], ["/site.tar.gz"])


def test_an_address_that_does_not_give_the_archive_is_said_so(site: Site) -> None:
    """The status is in the message."""
    with serving(lambda path: (404, b"")) as address, pytest.raises(SteadfastError, match="404"):
        site.run(url=f"{address}/site.tar.gz")
    with pytest.raises(InvalidInput, match="http"):
        site.run(url="file:///etc/passwd")


@pytest.mark.parametrize(
    ("given", "message"),
    [({"keep": 0}, "keep"), ({"strip_components": -1}, "strip"), ({"mode": "rw"}, "octal"), ({"owner": "no-such-user"}, "no such user")],
)
def test_bad_options_are_refused_before_anything_is_written(site: Site, given: dict[str, Any], message: str) -> None:
    """The error names the option."""
    before = site.snapshot()
    with pytest.raises(InvalidInput, match=message):
        site.deploy(ONE, **given)
    assert site.snapshot() == before
