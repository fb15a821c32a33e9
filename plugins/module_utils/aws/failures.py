# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What went wrong with a call, in words that say what to do. Knows the API's codes, not its library."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import Any, Mapping, Optional, Tuple

from ..engine.errors import CallFailed

_CREDENTIALS = (
    "Say who you are: options access_key and secret_key or profile, the environment (AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), ~/.aws/credentials, or an instance role."
)
_RENEW = "Renew them: log in again (aws sso login, aws login, or a new assume-role), then run again."
_LOGIN = "Log in first: aws sso login (or aws login), with the same profile, then run again."
_CONFIG = "Correct the file: ~/.aws/config, or what AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE name."
_BUNDLE = (
    "the CA bundle holds no certificates that can be read",
    "Give ca_bundle (or AWS_CA_BUNDLE) a file of PEM certificates: -----BEGIN CERTIFICATE----- and what follows.",
)
_CLOCK = "Correct the clock of this machine (NTP), then run again."
_QUOTA = "Free some, or ask for more in the Service Quotas console."
_THEIRS = "The fault lies with the service. Run again later: what may have been made all the same is found then, and not made twice."

#: What to do about an error code of the API.
ADVICE: Mapping[str, str] = {
    "AuthFailure": "The keys are not valid in this region; check the keys, and whether the account has opted in to it.",
    "InvalidClientTokenId": "The access key does not exist, or not in this partition; check access_key or the profile.",
    "SignatureDoesNotMatch": "The secret key does not belong to the access key; check secret_key or the profile.",
    "ExpiredToken": _RENEW,
    "ExpiredTokenException": _RENEW,
    "RequestExpired": _RENEW + " If they are fresh: " + _CLOCK,
    "InstanceLimitExceeded": _QUOTA,
    "VcpuLimitExceeded": _QUOTA,
    "AddressLimitExceeded": _QUOTA,
    "VolumeLimitExceeded": _QUOTA,
    "SecurityGroupLimitExceeded": _QUOTA,
    "RulesPerSecurityGroupLimitExceeded": "Use fewer rules, or spread them over several groups.",
    "InvalidKey.Format": "EC2 takes ED25519 keys, and RSA keys of 1024, 2048 or 4096 bits.",
    "InsufficientInstanceCapacity": "The zone has none of this instance type at the moment; try another zone or type, or later.",
    "Unsupported": "The zone may not offer this instance type; try another zone or type.",
    "OptInRequired": "The account has not accepted the terms of this image or region; accept them in the console.",
    "RequestLimitExceeded": "The API throttled for longer than the retries last; run again later, or with fewer runs at once.",
    "OperationNotPermitted": "It may be protected against termination; lift disable-api-termination first.",
    "DependencyViolation": "Something else still uses it; see what in the console, and remove that first.",
    "VolumeModificationRateExceeded": "The volume was modified too often; AWS allows the next modification later. Run again then.",
    "IncorrectModificationState": "The previous modification is not through; run again when it is.",
}

_NOT_ALLOWED = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")

#: Codes that say that the caller is not who it says, whatever it asks for.
_IDENTITY = ("AuthFailure", "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "RequestExpired")

#: What to do about an error that arises before or below the API, by the name of botocore's exception.
LOCAL: Mapping[str, Tuple[str, str]] = {
    "NoCredentialsError": ("there are no credentials", _CREDENTIALS),
    "PartialCredentialsError": ("the credentials are incomplete", _CREDENTIALS),
    "CredentialRetrievalError": ("the credentials could not be got", _CREDENTIALS),
    "ProfileNotFound": ("the profile does not exist", "Correct profile (or AWS_PROFILE); aws configure list-profiles shows what there is."),
    "NoRegionError": ("there is no region", "Set the option region, or AWS_REGION, or region in the profile."),
    "InvalidRegionError": ("the region cannot be meant as it is written", "Write it as in us-east-1."),
    "UnauthorizedSSOTokenError": ("the SSO session is over", _LOGIN),
    "SSOTokenLoadError": ("there is no SSO session", _LOGIN),
    "TokenRetrievalError": ("the SSO session is over", _LOGIN),
    "LoginRefreshRequired": ("the login session is over", _LOGIN),
    "InvalidConfigError": ("the AWS configuration is wrong", _CONFIG),
    "InfiniteLoopConfigError": ("the AWS configuration is wrong", _CONFIG),
    "ConfigParseError": ("the AWS configuration cannot be read", _CONFIG),
    "ConfigNotFound": ("the AWS configuration is not there", _CONFIG),
    "MetadataRetrievalError": (
        "the role of this machine could not be got",
        "Give the instance an IAM profile, and let its metadata service answer (hop limit 2 where the task runs in a container).",
    ),
    "EndpointConnectionError": ("the endpoint does not answer", "Check the name of the region, endpoint_url and the network."),
    "ConnectTimeoutError": ("the endpoint does not answer", "Check the name of the region, endpoint_url and the network."),
    "ReadTimeoutError": ("the endpoint did not answer in time", "Run again; what was done so far will be found."),
    "ConnectionClosedError": ("the connection was closed before the answer", "Run again; what was done so far will be found."),
    "ProxyConnectionError": ("the proxy does not answer", "Check the option proxies, or HTTPS_PROXY and NO_PROXY."),
    "SSLError": (
        "the certificate is not trusted",
        "Give ca_bundle the certificate authority's file; validate_certs: false only for a test.",
    ),
    "ParamValidationError": ("the parameters do not fit the API", "Correct the values that are named."),
}

#: What an error of TLS says in its details: (words of the library, why, what to do).
_TLS: Tuple[Tuple[str, str, str], ...] = (
    ("NO_CERTIFICATE_OR_CRL_FOUND", *_BUNDLE),
    ("PEM lib", *_BUNDLE),
    ("[Errno 2]", *_BUNDLE),
    ("[Errno 21]", *_BUNDLE),
    ("WRONG_VERSION_NUMBER", "the endpoint does not speak TLS", "Should endpoint_url begin with http:// instead of https://?"),
    ("not yet valid", "the certificate is not valid yet", _CLOCK),
    ("has expired", "the certificate has expired", "Renew it there; or if it is fresh: " + _CLOCK),
)
#: Codes that a wrong clock can cause, and the words by which the API itself says so.
_OF_TIME = ("AuthFailure", "InvalidSignatureException", "RequestExpired", "RequestTimeTooSkewed", "SignatureDoesNotMatch")
_TIME_WORDS = ("Signature expired", "not yet current", "time skewed", "too skewed", "difference between the request time")
#: Seconds that a signature may be off (AWS allows five minutes) and a request may take.
_SKEW = 240
_ACTION = re.compile(r"not authorized to perform:? ([\w-]+:\w+)")

#: After these the request may have been carried out although no answer came.
ANSWER_LOST = ("ReadTimeoutError", "ConnectionClosedError", "HTTPClientError", "ConnectionError", "ResponseStreamingError")
_SERVER_FAULT = ("InternalError", "InternalFailure", "ServiceUnavailable", "Unavailable", "500", "502", "503", "504")


def from_api_error(response: Mapping[str, Any], operation: str, endpoint: str, now: Optional[float] = None) -> CallFailed:
    """The typed error for an answer that says no; `now` is what the clock of this machine says, in seconds since 1970."""
    error = response.get("Error", {})
    code, message = str(error.get("Code", "Unknown")), str(error.get("Message", "")).strip()
    action = operation.split(":", 1)[-1]
    advice = ADVICE.get(code, _THEIRS if code in _SERVER_FAULT else "")
    if code in _NOT_ALLOWED:
        denied = _ACTION.search(message)
        advice = f"The credentials may not do this; allow the IAM action {denied.group(1) if denied else operation} to them."
        message = message.split("Encoded authorization failure message", maxsplit=1)[0].strip()
    if code in _OF_TIME:
        advice = _of_time(response, message, now) or advice
    return CallFailed(f"{action} failed: {code}: {message}", code=code, operation=action, do=advice)


def _of_time(response: Mapping[str, Any], message: str, now: Optional[float]) -> str:
    """What to do where the clock of this machine is to blame, by the date of the answer or by its words; else nothing."""
    headers = (response.get("ResponseMetadata") or {}).get("HTTPHeaders") or {}
    try:
        theirs = parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        theirs = None
    if now is not None and theirs is not None:
        off = round(now - theirs)
        return f"The clock of this machine is {abs(off)} s {'ahead' if off > 0 else 'behind'}. {_CLOCK}" if abs(off) > _SKEW else ""
    return _CLOCK if any(words in message for words in _TIME_WORDS) else ""


def from_local_error(name: str, message: str, operation: str, endpoint: str) -> CallFailed:
    """The typed error for what failed before the API answered; `name` is botocore's exception."""
    why, advice = LOCAL.get(name, (f"{operation or 'the connection'} failed: {name}", ""))
    if name == "SSLError":
        why, advice = next(((reason, do) for words, reason, do in _TLS if words in message), (why, advice))
    wanted = endpoint if "endpoint" in why else ""
    return CallFailed(why, code=name, operation=operation, wanted=wanted, found=" ".join(message.split()), do=advice)


def answer_lost(error: CallFailed) -> bool:
    """Whether the request may have been carried out although `error` came."""
    return error.code in ANSWER_LOST + _SERVER_FAULT


_THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "EC2ThrottledException",
    "TooManyRequestsException",
    "SlowDown",
    "BandwidthLimitExceeded",
)


def is_throttling(code: str) -> bool:
    """Whether an error code of the API says that there were too many requests."""
    return code in _THROTTLED


def throttled(error: CallFailed) -> bool:
    """Whether `error` says that there were too many requests."""
    return is_throttling(error.code)


def concerns_all(error: CallFailed) -> bool:
    """Whether `error` would have come whatever the request named: a matter of the credentials, the connection, or the rate."""
    return error.code in (*_NOT_ALLOWED, *LOCAL, *_IDENTITY) or throttled(error) or answer_lost(error)
