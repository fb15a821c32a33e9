# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Options that say where and as whom the AWS API is called."""

from __future__ import annotations


class ModuleDocFragment:
    """The connection options of modules and of the inventory plugin."""

    DOCUMENTATION = r"""
options:
  region:
    description:
      - The region, for example V(us-east-1).
      - When not given, the environment (E(AWS_REGION), E(AWS_DEFAULT_REGION)) or the profile decides.
    type: str
    aliases: [aws_region, ec2_region]
  profile:
    description:
      - The named profile of the AWS configuration files to use.
      - Cannot be given together with O(access_key).
    type: str
    aliases: [aws_profile]
  access_key:
    description:
      - The access key. Give O(secret_key) with it.
      - When neither keys nor O(profile) are given, the environment, the configuration files or the role of the machine decide, in this
        order. Profiles of IAM Identity Center (SSO) work after C(aws sso login).
    type: str
    aliases: [aws_access_key_id, aws_access_key, ec2_access_key]
  secret_key:
    description: The secret that belongs to O(access_key).
    type: str
    aliases: [aws_secret_access_key, aws_secret_key, ec2_secret_key]
  session_token:
    description: The session token that belongs to temporary keys.
    type: str
    aliases: [aws_session_token]
  endpoint_url:
    description:
      - Where the API answers, when it is not Amazon's own address; for example the address of the sandbox.
      - E(AWS_ENDPOINT_URL) is honoured when it is not given.
    type: str
    aliases: [aws_endpoint_url, ec2_url]
  ca_bundle:
    description: A file with the certificates of the authorities that the endpoint's certificate is checked against.
    type: path
    aliases: [aws_ca_bundle]
  validate_certs:
    description: Whether the certificate of the endpoint is checked.
    type: bool
    default: true
  proxies:
    description:
      - The proxy for each scheme, under C(http) and C(https). They may hold a user and a password, so they are not shown.
      - E(HTTPS_PROXY), E(HTTP_PROXY) and E(NO_PROXY) are honoured when it is not given.
    type: dict
  role_arn:
    description:
      - The role to assume with these credentials before anything else is called. It costs one more call, which is counted.
      - A role in O(profile) is assumed as well. One that wants an MFA code is refused, because nobody can type it in.
    type: str
    aliases: [assume_role_arn, iam_role_arn]
  role_session_name:
    description: What the session in O(role_arn) is called in logs of the account. V(steadfast.ec2) when it is not given.
    type: str
  external_id:
    description: The word that the trust policy of O(role_arn) demands of third parties.
    type: str
requirements:
  - boto3 and botocore, version 1.40 or newer, where the task runs
"""
