# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of an instance as they are documented, for its module and for the members of a fleet."""

from __future__ import annotations

INSTANCE = r"""
name:
  description: The name of the instance, by which it is found again.
  type: str
  required: true
image:
  description:
    - The id of an image, or a mapping with C(name) (with C(*) and C(?)), C(owner) and C(filters) of DescribeImages, which means the newest
      one that fits.
    - Needed for a new instance. Where a newer image has appeared since, this is said in RV(notes), and nothing is changed unless
      C(on_change.image) is V(replace).
  type: raw
  aliases: [image_id]
instance_type:
  description:
    - The type, for example V(t3.micro), or a list of acceptable types, the best first. Needed for a new instance.
    - Where a zone has no room for a type, the other acceptable zones are tried with it, and then the next type. RV(notes) says what was
      taken, and later runs accept any of the list.
  type: list
  elements: str
key_pair:
  description: The name of the key pair that can log in. Fixed at launch.
  type: str
  aliases: [key_name]
security_groups:
  description: Names or ids of security groups. They are set on the primary network interface.
  type: list
  elements: str
  aliases: [security_group]
zone:
  description:
    - The zone by name (V(us-east-1a)) or id (V(use1-az1)), or a list of acceptable zones, over which members are spread in turn.
    - A new instance with a volume that exists goes to the volume's zone.
  type: list
  elements: str
  aliases: [zones, availability_zone]
subnet_id:
  description: The subnet. Fixed at launch.
  type: str
  aliases: [vpc_subnet_id]
private_ip:
  description: The private address. Fixed at launch.
  type: str
  aliases: [private_ip_address]
user_data:
  description: What the instance runs at its first boot. Compared by its SHA-256, which is kept in a tag; the text is never shown.
  type: str
user_data_base64:
  description: The same in base64, for what is not text, such as a compressed archive.
  type: str
user_data_file:
  description: The same from a file on the machine where the task runs. What is in it counts, not its name.
  type: path
metadata_options:
  description: Options of the metadata service. Only those given are sent. New instances require IMDSv2 unless told otherwise.
  type: dict
  suboptions:
    http_tokens:
      description: V(required) means IMDSv2 only.
      type: str
      choices: [required, optional]
    http_endpoint:
      description: Whether the service answers.
      type: str
      choices: [enabled, disabled]
    http_put_response_hop_limit:
      description: How many hops an answer may travel; containers need 2.
      type: int
    http_protocol_ipv6:
      description: Whether it answers on IPv6.
      type: str
      choices: [enabled, disabled]
    instance_metadata_tags:
      description: Whether tags can be read there.
      type: str
      choices: [enabled, disabled]
root_volume:
  description: The volume that the instance starts from. What is not given is as the image has it.
  type: dict
  suboptions:
    size:
      description: The size in GiB. It grows in place, and never shrinks.
      type: int
      aliases: [volume_size]
    type:
      description: The type, for example V(gp3).
      type: str
      aliases: [volume_type]
    iops:
      description: Input and output operations per second, for types that have them.
      type: int
    throughput:
      description: MiB per second, for V(gp3).
      type: int
    encrypted:
      description: Whether it is encrypted. Fixed at launch.
      type: bool
    kms_key_id:
      description: The key it is encrypted with, by its id or ARN. Fixed at launch.
      type: str
    delete_on_termination:
      description: Whether it is deleted with the instance.
      type: bool
iam_instance_profile:
  description: The instance profile by name or ARN; an empty string means none. It is changed while the instance runs.
  type: str
  aliases: [instance_role]
termination_protection:
  description:
    - Whether the API refuses to terminate the instance. A plan that would terminate a protected one is refused as a whole.
    - V(false) together with O(state=absent) lifts it first.
  type: bool
stop_protection:
  description: Whether the API refuses to stop the instance.
  type: bool
shutdown_behavior:
  description: What a shutdown from inside the instance does.
  type: str
  choices: [stop, terminate]
  aliases: [instance_initiated_shutdown_behavior]
monitoring:
  description: Whether it is monitored every minute, which costs extra, instead of every five.
  type: bool
  aliases: [detailed_monitoring]
ebs_optimized:
  description: Whether it has bandwidth of its own to EBS, on types where that is a choice. It is changed while the instance is stopped.
  type: bool
cpu_credits:
  description: How a burstable type goes on when its credits are used up.
  type: str
  choices: [standard, unlimited]
placement:
  description: Where the instance is put inside its zone. C(group) and C(partition) are changed while the instance is stopped.
  type: dict
  suboptions:
    tenancy:
      description: Whether the hardware is shared. Fixed at launch.
      type: str
      choices: [default, dedicated, host]
    group:
      description: The placement group.
      type: str
      aliases: [group_name]
    partition:
      description: The partition in the placement group, counted from 1.
      type: int
      aliases: [partition_number]
market:
  description: Whether it is a spot instance. Fixed at launch.
  type: str
  choices: [on_demand, spot]
spot:
  description: How a spot instance is asked for; refused without C(market) V(spot). Told at launch, and not compared afterwards.
  type: dict
  suboptions:
    max_price:
      description: The most to pay for an hour, in US dollars. The on-demand price when it is not given.
      type: str
    interruption_behavior:
      description: What happens when AWS takes it back. V(stop) and V(hibernate) make a persistent request, which is cancelled when the
        instance is terminated.
      type: str
      choices: [terminate, stop, hibernate]
wait_for:
  description:
    - What a launch, a start or a restart waits for. V(status_checks) waits until both status checks are passed; a replacement then takes
      nothing from the old instance before.
    - V(running) when it is not given. A run that changes no state does not wait.
  type: str
  choices: [running, status_checks]
on_change:
  description:
    - What may be done about differences that cannot simply be changed. Each is refused unless this allows more.
    - V(ignore) keeps what there is, and says so in RV(notes).
    - V(restart) changes it with a stop and a start; the public address changes unless it is an Elastic IP.
    - V(replace) launches a new instance, which takes over the volumes (all but the root volume) and the Elastic IP; then the old one is
      terminated. What is not declared is as the old one had it. The plan says V(replace) before anything happens, C(max_deletions)
      counts it, and it is refused for what is protected.
  type: dict
  suboptions:
    image:
      description: Another image than the declared one. Where it is declared by name or filters, a newer one is only reported unless
        this is V(replace).
      type: str
      choices: [refuse, ignore, replace]
    zone:
      description: It is in none of the declared zones.
      type: str
      choices: [refuse, ignore, replace]
    subnet_id:
      description: It is in another subnet.
      type: str
      choices: [refuse, ignore, replace]
    key_pair:
      description: It was launched with another key pair.
      type: str
      choices: [refuse, ignore, replace]
    private_ip:
      description: It has another private address.
      type: str
      choices: [refuse, ignore, replace]
    tenancy:
      description: It has another tenancy.
      type: str
      choices: [refuse, ignore, replace]
    market:
      description: It is a spot instance, or not.
      type: str
      choices: [refuse, ignore, replace]
    root_volume:
      description: Its root volume is larger than declared, or encrypted otherwise.
      type: str
      choices: [refuse, ignore, replace]
    instance_type:
      description: It has another type.
      type: str
      choices: [refuse, ignore, restart, replace]
    user_data:
      description: Its user data are others. They run at the first boot only, so a restart stores the new ones and does not run them.
      type: str
      choices: [refuse, ignore, restart, replace]
    ebs_optimized:
      description: It is EBS-optimized, or not.
      type: str
      choices: [refuse, ignore, restart, replace]
    placement:
      description: It is in another placement group or partition.
      type: str
      choices: [refuse, ignore, restart, replace]
"""

STATES = r"""
state:
  description:
    - V(present) means there, in whatever state. V(running) and V(stopped) bring it to that state.
    - V(restarted) reboots it once more in every run; one that is stopped is started.
    - V(absent) terminates it. Volumes that were attached to it afterwards stay.
  type: str
  choices: [present, running, stopped, restarted, absent]
  default: present
"""
