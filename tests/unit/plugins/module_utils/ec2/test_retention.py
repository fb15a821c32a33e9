# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What retention may delete, and what it never may, for every series that there could be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.backup.plan import plan
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.backup.retention import verdict
from ansible_collections.steadfast.ec2.plugins.module_utils.ec2.backup.state import Backup, Keep, World, declared, moment
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import InvalidInput, Refused
from hypothesis import given
from hypothesis import strategies as some

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
STATES = ("completed", "completed", "completed", "pending", "error")
KEEPS = some.builds(Keep, some.none() | some.integers(1, 4), some.none() | some.integers(0, 20)).filter(lambda keep: keep != Keep())
PARAMS: dict[str, Any] = {"state": "present", "purge_tags": True, "copy_tags": False, "wait": True}


def snapshot(number: int, days: float = 1, state: str = "completed", **tags: str) -> dict[str, Any]:
    """A snapshot that is `days` old."""
    return {
        "id": f"snap-{number}",
        "name": f"data-{number}",
        "state": state,
        "message": None,
        "volume_id": "vol-1",
        "size": 8,
        "description": "",
        "encrypted": False,
        "shared_with": None,
        "created": (NOW - timedelta(days=days)).isoformat(),
        "tags": {"Name": f"data-{number}", "steadfast:series": "data", **tags},
        "series": "data",
    }


@some.composite
def series(draw: Any) -> list[dict[str, Any]]:
    ages = draw(some.lists(some.integers(0, 30), max_size=8))
    protected = draw(some.sets(some.integers(0, 8), max_size=2))
    return [
        snapshot(number, days, draw(some.sampled_from(STATES)), **({"steadfast:protected": "true"} if number in protected else {}))
        for number, days in enumerate(ages)
    ]


def world(facts: list[dict[str, Any]], **users: tuple[str, ...]) -> World:
    return World("us-east-1", NOW.timestamp(), (), tuple(facts), users={one.replace("_", "-"): words for one, words in users.items()})


@given(facts=series(), keep=KEEPS, coming=some.booleans(), wait=some.booleans(), used=some.integers(0, 8))
def test_what_must_stay_always_stays(facts: list[dict[str, Any]], keep: Keep, coming: bool, wait: bool, used: int) -> None:
    """The newest, the young, the protected, what is in use, and a complete one."""
    backup = Backup("snapshot", "data-new", series="data", keep=keep, wait=wait)
    going = {one["id"] for one in verdict(backup, world(facts, **{f"snap_{used}": ("image ami-1",)}), coming).going}
    stays = [one for one in facts if one["id"] not in going]
    good = sorted((one for one in facts if one["state"] == "completed"), key=lambda one: (one["created"], one["id"]), reverse=True)
    assert all(one in stays for one in facts if "steadfast:protected" in one["tags"] or one["id"] == f"snap-{used}")
    assert all(one in stays for one in good[: max(0, (keep.newest or 0) - coming - sum(one["state"] == "pending" for one in facts))])
    assert all(one in stays for one in good if keep.days and datetime.fromisoformat(one["created"]) > NOW - timedelta(days=keep.days))
    if good and not (coming and wait):
        assert any(one["state"] == "completed" for one in stays)


@given(facts=series(), newest=some.integers(1, 4), coming=some.booleans())
def test_what_is_as_new_as_one_that_stays_is_not_deleted(facts: list[dict[str, Any]], newest: int, coming: bool) -> None:
    """An image's time has whole seconds: of two from the same one nobody knows which is newer, so the number keeps both."""
    backup = Backup("snapshot", "data-new", series="data", keep=Keep(newest=newest))
    counted = [one for one in facts if one["state"] != "error"]
    for going in verdict(backup, world(facts), coming).going:
        newer = sum(one["created"] > going["created"] for one in counted) + coming
        assert going["state"] == "error" or newer >= newest


def test_the_last_complete_ones_of_one_second_both_stay() -> None:
    """Which of them is the last one that is known to be complete is not known either."""
    backup = Backup("snapshot", series="data", keep=Keep(newest=1))
    facts = [snapshot(1, 2), snapshot(2, 2), snapshot(3, 1, "pending")]
    assert verdict(backup, world(facts), False).going == []


def test_texts_of_moments_sort_like_times() -> None:
    """Retention compares what the facts show; snapshots have milliseconds, images have none, and no zone need be UTC."""
    told = ["2026-01-15T00:00:00.000Z", "2026-01-15T00:00:00.120Z", datetime(2026, 1, 15, 2, 0, 1, tzinfo=timezone(timedelta(hours=2)))]
    moments = [moment(one) for one in told]
    assert moments == sorted(moments) == ["2026-01-15T00:00:00+00:00", "2026-01-15T00:00:00.120000+00:00", "2026-01-15T00:00:01+00:00"]


@given(facts=series(), keep=KEEPS, coming=some.booleans())
def test_retention_is_done_after_one_run(facts: list[dict[str, Any]], keep: Keep, coming: bool) -> None:
    """What is left is what retention keeps, so a second run deletes nothing."""
    backup = Backup("snapshot", "data-new", series="data", keep=keep)
    going = {one["id"] for one in verdict(backup, world(facts), coming).going}
    left = [one for one in facts if one["id"] not in going] + ([{**snapshot(99, 0), "name": "data-new"}] if coming else [])
    assert verdict(backup, world(left), False).going == []


def test_old_ones_go_only_after_the_new_one_is_there() -> None:
    """Each deletion requires the creation; when that fails, nothing is lost."""
    backup = Backup("snapshot", "data-new", source="vol-1", series="data", keep=Keep(newest=1))
    volume = {"id": "vol-1", "tags": {}, "encrypted": False}
    found = plan(backup, World("us-east-1", NOW.timestamp(), (), (snapshot(1), snapshot(2)), (volume,)))
    assert [(change.action, change.name, change.requires) for change in found.changes] == [
        ("create", "data-new", ()),
        ("delete", "data-1", (("snapshot", "data-new"),)),
        ("delete", "data-2", (("snapshot", "data-new"),)),
    ]


def test_what_stays_although_it_is_old_is_named() -> None:
    """A note says which, and why."""
    backup = Backup("snapshot", series="data", keep=Keep(newest=1))
    facts = [snapshot(1, 3), snapshot(2, 2, **{"steadfast:protected": "true"}), snapshot(3, 1)]
    found = plan(backup, world(facts, snap_1=("image ami-1",))).to_result()
    assert (found["changed"], len(found["notes"])) == (False, 2)
    assert "snap-1 is older than what is kept, and stays because of image ami-1" in found["notes"][0]
    assert "the tag steadfast:protected" in found["notes"][1]


def test_what_failed_is_refused_with_the_reason() -> None:
    """A name that belongs to a failed snapshot is not taken for a success."""
    failed = {**snapshot(1, state="error"), "message": "no key"}
    with pytest.raises(Refused, match=r"failed when it was made .*no key"):
        plan(Backup("snapshot", "data-1"), World(named=(failed,)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"keep": {"newest": 3}, "name": "a"}, "Give series"),
        ({"keep": {"newest": 0}, "series": "a"}, "newest must be 1"),
        ({"keep": {"days": -1}, "series": "a"}, "days cannot"),
        ({"series": "a"}, "without a name"),
        ({"name": "a", "volume": "vol-1", "copy_from": {"snapshot": "snap-1"}}, "both given"),
        ({"name": "a", "volume": "vol-1", "encrypted": True}, "encrypted is for copies"),
        ({"name": "a", "copy_from": {"snapshot": "snap-1"}, "kms_key_id": "k"}, "without encrypted"),
        ({"name": "a", "state": "absent", "series": "a", "keep": {"newest": 1}}, "both given"),
        ({"name": "a", "tags": {"aws:x": "y"}}, "not yours to set"),
    ],
)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], words: str) -> None:
    """Before anything is read."""
    with pytest.raises(InvalidInput, match=words):
        declared("snapshot", {**PARAMS, **options})
