# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What holds for every disk there could be: a plan or a clear refusal, and nothing made where anything is."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.steadfast.ec2.plugins.module_utils.disk.plan import plan
from ansible_collections.steadfast.ec2.plugins.module_utils.disk.state import MIB, Disk, Geometry, Mount, Node, Signature, State
from ansible_collections.steadfast.ec2.plugins.module_utils.engine.errors import SteadfastError
from hypothesis import given, settings
from hypothesis import strategies as st

from .states import PART, PATH, SEED, UUID, WANTED

UUIDS = st.sampled_from(["", UUID, "other", "third"])
SIGNATURES = st.builds(
    Signature,
    kind=st.sampled_from(["", "ext4", "xfs", "swap", "LVM2_member"]),
    uuid=UUIDS,
    table=st.sampled_from(["", "gpt", "dos", "PMBR"]),
    unclear=st.booleans(),
    table_uuid=UUIDS,
)
HELD = st.sampled_from([(), ("held by dm-0",), ("opened exclusively",)])
PARTITIONS = st.lists(
    st.builds(
        Node,
        name=st.sampled_from(["vdb1", "vdb2"]),
        size=st.sampled_from([MIB, 1000 * MIB, 5000 * MIB]),
        number=st.just("254:17"),
        start=st.sampled_from([0, MIB, 2 * MIB]),
        signature=SIGNATURES,
        part_uuid=st.sampled_from(["", PART, "other"]),
        held=HELD,
    ),
    max_size=2,
).map(tuple)
DISKS = st.builds(
    Disk,
    node=st.builds(Node, name=st.just("vdb"), size=st.just(1024 * MIB), number=st.just("254:16"), signature=SIGNATURES, held=HELD),
    serial=st.just("vol0123456789abcdef0"),
    read_only=st.booleans(),
    partitions=PARTITIONS,
    inside=SIGNATURES | st.just(Signature()),
    remains=st.sampled_from(["", "the backup of a table"]),
    remains_uuid=UUIDS,
    untold=st.sampled_from([(), (PART,), ("other",), (PART, "other")]),
)
MOUNTS = st.lists(
    st.builds(
        Mount,
        number=st.sampled_from(["254:16", "254:17", "254:1"]),
        path=st.sampled_from([PATH, "/mnt", f"{PATH}/below"]),
        options=st.just(("rw", "relatime")),
        kind=st.just("ext4"),
        source=st.just("/dev/x"),
        super_options=st.just(("rw",)),
    ),
    max_size=2,
).map(tuple)
STATES = st.builds(
    State,
    disk=DISKS,
    seed=st.just(SEED),
    mounts=MOUNTS,
    uuids=st.dictionaries(
        UUIDS.filter(bool), st.lists(st.sampled_from(["vdb", "vdb1", "vdc"]), min_size=1, unique=True).map(tuple), max_size=2
    ),
    geometry=st.builds(Geometry, size=st.sampled_from([0, 500 * MIB]), errors=st.booleans(), names=st.sampled_from([None, (), ("a",)])),
)
DECLARED = st.builds(
    lambda state, erase, renew: replace(WANTED, state=state, erase=erase, duplicate_uuid=renew),
    state=st.sampled_from(["mounted", "unmounted", "absent"]),
    erase=st.lists(UUIDS | st.sampled_from(["gpt", "swap"]), max_size=4).map(tuple),
    renew=st.sampled_from(["refuse", "renew"]),
)


@settings(max_examples=100)
@given(DECLARED, STATES)
def test_every_state_leads_to_a_plan_or_to_a_clear_refusal(desired: object, state: State) -> None:
    """And the same state to the same plan."""
    try:
        assert plan(desired, state) == plan(desired, state)
    except SteadfastError as error:
        assert error.message


@settings(max_examples=100)
@given(STATES, st.sampled_from(["refuse", "renew"]))
def test_a_filesystem_is_only_made_where_nothing_is(state: State, renew: str) -> None:
    """Without a word on erasing: no signature anywhere, nobody who holds it, not read-only; only a table of our own may be there."""
    try:
        steps = [step.verb for change in plan(replace(WANTED, duplicate_uuid=renew), state).changes for step in change.steps]
    except SteadfastError:
        return
    assert "erase" not in steps
    if "mkfs.ext4" in steps:
        disk = state.disk
        assert disk is not None
        own = [part.part_uuid for part in disk.partitions] or list(disk.untold)
        assert all(part.signature.blank and not part.held for part in disk.partitions)
        assert disk.node.signature.blank or own == [PART]
        assert not (disk.node.signature.kind or disk.node.signature.unclear or disk.node.held or disk.read_only or disk.remains)
        assert disk.inside.blank


@settings(max_examples=100)
@given(DECLARED, STATES)
def test_nothing_is_erased_that_was_not_named_or_is_in_use(desired: object, state: State) -> None:
    """Whatever is declared."""
    wanted = replace(WANTED, erase=desired.erase)  # type: ignore[attr-defined]
    try:
        steps = [step for change in plan(wanted, state).changes for step in change.steps if step.verb == "erase"]
    except SteadfastError:
        return
    assert all(step.params["name"] in wanted.erase for step in steps)
    if steps:
        disk = state.disk
        assert disk is not None
        numbers = {node.number for node in (disk.node, *disk.partitions)}
        assert [mount for mount in state.mounts if mount.number in numbers] == []
        assert not (disk.node.held or any(part.held for part in disk.partitions) or disk.read_only)


@given(STATES, st.sampled_from(["unmounted", "absent"]))
def test_letting_go_writes_to_no_disk(state: State, wish: str) -> None:
    """Only umount, fstab and daemon-reload."""
    try:
        verbs = {step.verb for change in plan(replace(WANTED, state=wish), state).changes for step in change.steps}
    except SteadfastError:
        return
    assert verbs <= {"umount", "write_fstab", "daemon_reload"}
