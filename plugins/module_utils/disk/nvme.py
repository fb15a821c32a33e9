# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an NVMe controller says of itself; EBS writes the attach name there.

The layout is that of the NVMe specification (Identify Controller) with the vendor specific area that AWS documents in
"Map Amazon EBS volumes to NVMe device names".
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import re
import struct

#: NVME_IOCTL_ADMIN_CMD of linux/nvme_ioctl.h, and the command Identify with CNS 1: the controller.
_IOCTL, _IDENTIFY, _CONTROLLER = 0xC0484E41, 0x06, 1
_LENGTH = 4096
#: Where the model and the vendor specific area are, as slices of the answer.
_MODEL, _VENDOR = slice(24, 64), slice(3072, 3104)
_AMAZON = 0x1D0F
EBS, INSTANCE_STORE = "Amazon Elastic Block Store", "Amazon EC2 NVMe Instance Storage"


def identify(path: str) -> bytes:
    """The 4096 bytes that the controller of an NVMe disk says of itself; none where it is not asked (no root, no NVMe)."""
    buffer = ctypes.create_string_buffer(_LENGTH)
    # opcode flags rsvd | nsid cdw2 cdw3 | metadata addr | metadata_len data_len | cdw10 … cdw15 timeout result
    command = struct.pack(
        "=BBHIIIQQII8I", _IDENTIFY, 0, 0, 0, 0, 0, 0, ctypes.addressof(buffer), 0, _LENGTH, _CONTROLLER, 0, 0, 0, 0, 0, 0, 0
    )
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        fcntl.ioctl(handle, _IOCTL, command)
    except OSError:
        return b""
    finally:
        os.close(handle)
    return buffer.raw


def attach_name(answer: bytes) -> str:
    """The device name that an EBS volume was attached with (`sdf`, `xvdf`), without `/dev/`; "" for every other controller."""
    if len(answer) < _LENGTH or struct.unpack_from("<H", answer)[0] != _AMAZON:
        return ""
    if answer[_MODEL].rstrip(b" \0") != EBS.encode():
        return ""
    name = answer[_VENDOR].rstrip(b" \0").decode("ascii", "replace")
    found = re.match(r"^(?:/dev/)?([a-z]+[a-z0-9]*)$", name)
    return found[1] if found else ""
