# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the sandbox itself reports when it cannot go on; kept apart from moto, whose import takes seconds.

SandboxError
├── ImageError      the image could not be built: disk full, packages unreachable, a tool failed
├── DiskError       a disk file cannot be made, copied or changed as asked
├── MachineError    a machine did not start, ended, or did not do what it was told
└── QmpError        QEMU said no, went away or did not answer
"""

from __future__ import annotations


class SandboxError(Exception):
    """Something that a person has to know or to do; the message says what, why and what to do."""


class ImageError(SandboxError):
    """The image could not be built."""


class DiskError(SandboxError):
    """A disk file cannot be made, copied or changed as asked."""


class MachineError(SandboxError):
    """A machine did not start, ended, or did not do what it was told."""


class QmpError(SandboxError):
    """QEMU said no, went away, or did not answer in time."""
