# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Texts of the options of key pairs, security groups and volumes, for the documentation fragments."""

from __future__ import annotations

KEY_PAIR = r"""
name:
  description: The name of the key pair, unique in the region.
  type: str
  required: true
key_type:
  description:
    - The kind of key to make. V(ed25519) when it is not given; V(rsa) has 4096 bits.
    - A key that is there already must be of this kind.
  type: str
  choices: [ed25519, rsa]
private_key_file:
  description:
    - Where the private key is kept, on the machine where the task runs.
    - When neither the file nor the key pair exists, a key is made with C(ssh-keygen), written with mode C(0400), and its public half
      imported. The private half never travels and is never returned.
    - When the file exists, its public half is imported, and compared with the key in the account, by the fingerprint where that is all
      that is shown. Nothing is made in the account for it.
    - When only the key pair exists, the file is lost, and that is an error. AWS cannot give a private key out a second time.
  type: path
  aliases: [file_name]
public_key:
  description: The public half of a key to import, as in a C(.pub) file.
  type: str
  aliases: [key_material]
"""

RULE = r"""
id:
  description:
    - The id of a rule that the group has, as in V(sgr-0123456789abcdef0); M(steadfast.ec2.security_group_info) shows them.
    - The rule keeps its id and its tags, and is changed in place; what is not given here stays as it is. It is one rule, so it has one
      range of ports and one source, and AWS does not change the kind of the source (IPv4, IPv6, group, prefix list).
    - An id that the group does not have in this list is an error, unless it is declared absent.
  type: str
  aliases: [rule_id, security_group_rule_id]
state:
  description: V(absent) takes the rule of that C(id) away, also where other rules that are not declared are kept.
  type: str
  choices: [present, absent]
  default: present
protocol:
  description: The protocol; V(tcp), V(udp), V(icmp), V(icmpv6), V(all), or a number. V(tcp) when neither it nor C(id) is given.
  type: str
  aliases: [proto]
ports:
  description: Ports and ranges of ports, as in V([22, "8000-8010"]). Needed for V(tcp) and V(udp).
  type: list
  elements: str
cidr:
  description:
    - Networks, IPv4 or IPv6, or V(my_ip) for the address of this machine as the API sees it.
    - A single address means itself alone. A network with bits of a host set, such as V(10.0.0.1/8), is refused as a slip.
  type: list
  elements: str
  aliases: [cidr_ip, cidr_ipv6]
group:
  description:
    - Security groups by name or id; one of the same declaration may be named before it exists, and two may name each other.
    - A group of another account, in a VPC that is peered with this one, is written with it, as in V(123456789012/sg-0123456789abcdef0).
  type: list
  elements: str
  aliases: [group_name, group_id]
prefix_list:
  description: Managed prefix lists by id, or by name as in V(com.amazonaws.global.cloudfront.origin-facing).
  type: list
  elements: str
  aliases: [ip_prefix]
icmp_type:
  description: The type of message, for V(icmp) and V(icmpv6); V(-1) and nothing mean every type.
  type: int
icmp_code:
  description: The code of C(icmp_type); V(-1) and nothing mean every code.
  type: int
description:
  description: What the rule is for, changed in place. Not managed when it is not given; an empty string removes it.
  type: str
  aliases: [rule_desc]
"""

SECURITY_GROUP = r"""
name:
  description: The name of the group.
  type: str
  required: true
description:
  description:
    - The description of the group. AWS never changes it again, so another one than there is, is refused.
    - A new group without one gets its name.
  type: str
vpc_id:
  description: The VPC of the group; the default VPC when it is not given. Needed where several groups have the name.
  type: str
rules:
  description:
    - Who is let in. The list is exact, rules that are not in it are revoked, after the new ones are authorised.
    - A rule in several spellings is one rule; addresses, ports and protocols are normalised as AWS does.
    - Not managed when it is not given; V([]) lets nobody in.
  type: list
  elements: dict
egress_rules:
  description: Where traffic may go, written like C(rules). When it is not given, egress stays as it is; a new group lets everything out.
  type: list
  elements: dict
  aliases: [rules_egress]
purge_rules:
  description: Whether rules that are not in C(rules) are revoked. V(false) only adds those that are missing.
  type: bool
  default: true
purge_egress_rules:
  description: The same for C(egress_rules).
  type: bool
  default: true
  aliases: [purge_rules_egress]
"""

VOLUME = r"""
name:
  description: The name of the volume, by which it is found again.
  type: str
  required: true
size:
  description: The size in GiB. A volume grows, and never shrinks.
  type: int
  aliases: [volume_size]
type:
  description: The type, for example V(gp3), which a new volume gets when it is not given.
  type: str
  aliases: [volume_type]
iops:
  description:
    - Input and output operations per second, for types that have them.
    - Size, type, operations, throughput and C(multi_attach) are changed by one request. AWS takes only a few in a day.
  type: int
throughput:
  description: MiB per second, for V(gp3).
  type: int
device:
  description: The attach name, for example V(/dev/sdf). A free one is chosen when it is not given.
  type: str
  aliases: [device_name]
snapshot:
  description: The snapshot that a new volume is made from, by its id.
  type: str
  aliases: [snapshot_id]
encrypted:
  description: Whether a new volume is encrypted. The account's default when it is not given.
  type: bool
kms_key_id:
  description:
    - The key to encrypt a new volume with, by id, ARN or alias. It is fixed then.
    - What an alias means later is not looked up, so another key behind it is not seen as a difference.
  type: str
delete_on_termination:
  description: Whether the volume is deleted with its instance. New attachments keep the volume when it is not given.
  type: bool
multi_attach:
  description:
    - Whether several instances may hold the volume at once. Only V(io1) and V(io2) can, and only V(io2) can change it later.
    - A filesystem that is not made for it, such as ext4 or xfs, breaks when two machines mount it.
  type: bool
  aliases: [multi_attach_enabled]
force_detach:
  description:
    - Whether a volume that its instance does not let go of is pulled off it, as by pulling a plug. Its filesystem may be damaged.
    - When it is not set, a volume that is in use on its instance makes the task fail, saying what to do; nothing is ever forced.
  type: bool
  default: false
"""

ADDRESS = r"""
description:
  - An address that the account has already, by itself or by its allocation id, to be taken over under this name and kept from then on.
  - Without it, a new address is allocated when none has the name.
type: str
aliases: [public_ip, allocation_id]
"""
