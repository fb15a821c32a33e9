# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Property tests try the same examples every time, as a change is refused for what it did; others are tried on purpose.

`./dev shell pytest --hypothesis-profile search --hypothesis-seed 7 tests/unit` tries ten times as many others. Neither looks at
the clock: a machine that has other things to do is no reason to fail.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("steadfast", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("search", settings.get_profile("steadfast"), derandomize=False, max_examples=1000)
settings.load_profile("steadfast")
