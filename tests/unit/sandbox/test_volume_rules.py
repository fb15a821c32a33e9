# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a volume may look like follows from its type; it never shrinks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.ec2.volume_rules import SIZES, Form, changed_form, new_form
from sandbox.errors import Ec2Error

GP3 = SimpleNamespace(size=8, volume_type="gp3", iops=4000, throughput=200)


@given(st.integers(1, 70000), st.sampled_from(sorted(SIZES)))
def test_every_form_that_is_accepted_is_within_its_type(size: int, volume_type: str) -> None:
    """Sizes outside are refused, whatever the type."""
    smallest, largest = SIZES[volume_type]
    values = {"volume_type": volume_type, "iops": 3000 if volume_type in ("io1", "io2") else None}
    if smallest <= size <= largest:
        assert new_form(size, values).size == size
    else:
        with pytest.raises(Ec2Error, match="volume size"):
            new_form(size, values)


@given(st.integers(1, 65536), st.integers(1, 65536))
def test_a_change_never_makes_a_volume_smaller(before: int, wanted: int) -> None:
    """Refused, or at least as large."""
    volume = SimpleNamespace(size=before, volume_type="gp3", iops=3000, throughput=125)
    if wanted < before:
        with pytest.raises(Ec2Error, match="cannot be smaller"):
            changed_form(volume, wanted, None, None, None)
    else:
        assert changed_form(volume, wanted, None, None, None).size == wanted


@pytest.mark.parametrize(
    ("change", "form"),
    [
        ({"size": 10}, Form(10, "gp3", 4000, 200)),
        ({"iops": 5000}, Form(8, "gp3", 5000, 200)),
        ({"volume_type": "gp2"}, Form(8, "gp2", 100, None)),
        ({"volume_type": "io2", "iops": 400}, Form(8, "io2", 400, None)),
    ],
)
def test_what_is_not_named_stays_as_far_as_the_type_allows(change: dict[str, int], form: Form) -> None:
    """A change of size keeps IOPS; a change of type takes the new type's defaults."""
    values = {"size": None, "volume_type": None, "iops": None, "throughput": None, **change}
    assert changed_form(GP3, **values) == form
