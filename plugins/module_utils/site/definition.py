# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of module site_release, and what it does with them."""

from __future__ import annotations

import http.client
import os
import posixpath
import shutil
import tempfile
import urllib.request
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from typing import Any, ContextManager, Dict, Mapping, Optional, Tuple

from ..engine.definition import ModuleDefinition
from ..engine.errors import CallFailed, InvalidInput, NotFound
from ..engine.reconcile import reconcile
from .archive import Files, files_from_dict, read_files, sha256_of
from .files import Access, explained, group_id, locked, octal, user_id
from .layout import ARCHIVE_NEEDED, Layout, Meta, State, Wanted
from .probe import Probe, without_secrets
from .release import Release, kept_files, previous_of

ARGUMENT_SPEC: Dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "src": {"type": "path"},
    "archive": {"type": "path"},
    "url": {"type": "str"},
    "checksum": {"type": "str"},
    "manifest": {"type": "dict"},
    "release": {"type": "str"},
    "strip_components": {"type": "int", "default": 0},
    "shared": {"type": "list", "elements": "str", "default": []},
    "keep": {"type": "int", "default": 3},
    "probe": {
        "type": "dict",
        "options": {
            "url": {"type": "str", "required": True},
            "status": {"type": "list", "elements": "int", "default": [200]},
            "contains": {"type": "str"},
            "host": {"type": "str"},
            "timeout": {"type": "float", "default": 15.0},
        },
    },
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "mode": {"type": "str", "default": "0644"},
    "directory_mode": {"type": "str", "default": "0755"},
}

RULES: Dict[str, Any] = {
    "mutually_exclusive": [["src", "url", "archive", "release"]],
    "required_one_of": [["src", "url", "archive", "release", "checksum"]],
}


@explained()
def run(params: Mapping[str, Any], check_mode: bool) -> Dict[str, Any]:
    """Make the declared release live, or say what would change; the result of the task."""
    layout = Layout(params["path"])
    _refuse_bad_options(params)
    probe = Probe.from_params(params["probe"]) if params["probe"] else None
    with ExitStack() as stack:
        stack.enter_context(_held(layout, check_mode))
        wanted = _wanted(params, layout, stack)
        target = Release(layout, wanted, probe)
        if wanted.archive is None and not check_mode:
            _require_archive_for(target, layout)
        outcome = reconcile(target, check_mode)
    result = outcome.plan.to_result()
    result["release"] = _described(layout, wanted, outcome.before)
    result["kept"] = kept_files(wanted, outcome.before)
    result["extra"] = list(outcome.before.extra)
    return result


def _held(layout: Layout, check_mode: bool) -> ContextManager[None]:
    return nullcontext() if check_mode else locked(layout.root)


def _refuse_bad_options(params: Mapping[str, Any]) -> None:
    if params["keep"] < 1:
        raise InvalidInput("must be 1 or more", resource="keep", found=str(params["keep"]))
    if params["strip_components"] < 0:
        raise InvalidInput("must not be negative", resource="strip_components", found=str(params["strip_components"]))


def _shared(params: Mapping[str, Any]) -> Tuple[str, ...]:
    """The shared paths, tidy; raises InvalidInput for one that is not a plain relative path of its own."""
    tidy = tuple(sorted({posixpath.normpath(path.strip("/")) for path in params["shared"]}))
    for path in tidy:
        parts = path.split("/")
        if ".." in parts or path == "." or parts[0] in ("releases", "current"):
            raise InvalidInput("is not a path below the document root that can be shared", resource=f"shared {path!r}")
        if any(path.startswith(other + "/") for other in tidy):
            raise InvalidInput("lies below another shared path", resource=f"shared {path!r}")
    return tidy


def _wanted(params: Mapping[str, Any], layout: Layout, stack: ExitStack) -> Wanted:
    """What is to be live: by name, by a checksum that is known here, by the archive, or by its list of files."""
    releases = layout.read_releases()
    if params["release"]:
        return _existing(params, layout, releases)
    known = _by_checksum(params, releases)
    archive = params["archive"]
    if known is None and params["url"]:
        archive = download(params["url"], params["checksum"], stack)
    if archive:
        _verify(archive, params["checksum"])
        return _from_files(params, read_files(archive, params["strip_components"]), releases, archive)
    if params["manifest"]:
        return _from_files(params, files_from_dict(params["manifest"]), releases, None)
    if known is None:
        raise NotFound("no release of this archive is here", resource=layout.root, code=ARCHIVE_NEEDED)
    wanted = _from_files(params, known.files, releases, None)
    if params["url"] and Release(layout, wanted).needs_archive():
        wanted = replace(wanted, archive=download(params["url"], params["checksum"], stack))
    return wanted


def _by_checksum(params: Mapping[str, Any], releases: Mapping[str, Meta]) -> Optional[Meta]:
    facts = (_shared(params), params["strip_components"])
    for meta in releases.values():
        if params["checksum"] in meta.archives and (meta.shared, meta.strip) == facts:
            return meta
    return None


def _from_files(params: Mapping[str, Any], files: Files, releases: Mapping[str, Meta], archive: Optional[str]) -> Wanted:
    wanted = Wanted(
        files=files,
        shared=_shared(params),
        access=_access(params),
        keep=params["keep"],
        strip=params["strip_components"],
        archive=archive,
        checksum=params["checksum"] or (sha256_of(archive) if archive else ""),
    )
    recorded = releases.get(wanted.id)
    # Packed again, the same files may have other times; those of the release that is there are as good.
    return replace(wanted, files=recorded.files) if recorded else wanted


def _existing(params: Mapping[str, Any], layout: Layout, releases: Mapping[str, Meta]) -> Wanted:
    """A release that is here, by its id, or the one before the live one; the link says which one is live."""
    name = params["release"]
    current = layout.read_current()
    if name == "previous":
        live = releases.get(current or "")
        name = live.previous if live else None
    if name not in releases:
        raise NotFound(
            "there is no release to go back to" if name is None else "there is no such release",
            resource=layout.root,
            wanted=params["release"],
            found=f"live {current or 'nothing'}, here {', '.join(sorted(releases)) or 'none'}",
            do="Deploy the archive of the release instead.",
        )
    meta = releases[name]
    return Wanted(meta.files, meta.shared, _access(params), params["keep"], meta.strip, deploy=False)


def _access(params: Mapping[str, Any]) -> Access:
    return Access(
        user_id(params["owner"]),
        group_id(params["group"]),
        octal(params["mode"], "mode"),
        octal(params["directory_mode"], "directory_mode"),
    )


def _require_archive_for(target: Release, layout: Layout) -> None:
    if target.needs_archive():
        raise NotFound(
            "files of the release must be written, and its archive is not at hand",
            resource=layout.root,
            do="Give the archive (src, archive or url) instead of its checksum or the name of a release.",
            code=ARCHIVE_NEEDED,
        )


def _verify(archive: str, checksum: Optional[str]) -> None:
    if checksum and sha256_of(archive) != checksum:
        raise InvalidInput("the archive is not the one declared", resource=archive, wanted=checksum, found=sha256_of(archive))


def download(url: str, checksum: Optional[str], stack: ExitStack) -> str:
    """Fetch an archive into a temporary folder that `stack` removes; raises CallFailed where it cannot be had."""
    if not url.startswith(("http://", "https://")):
        raise InvalidInput("must start with http:// or https://", resource="url", found=without_secrets(url))
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="steadfast-site-"))
    target = os.path.join(folder, "archive")
    try:
        with urllib.request.build_opener().open(url, timeout=60) as answer, open(target, "wb") as stream:
            shutil.copyfileobj(answer, stream)
    except (OSError, http.client.IncompleteRead) as error:
        raise CallFailed(f"the archive cannot be fetched: {error}", resource=without_secrets(url), operation="GET") from error
    except (ValueError, http.client.HTTPException) as error:
        do = "Correct it; a name and password do not belong into it."
        why = f"the archive cannot be fetched from this URL ({type(error).__name__})"
        raise CallFailed(why, resource=without_secrets(url), operation="GET", do=do) from None
    _verify(target, checksum)
    return target


def _described(layout: Layout, wanted: Wanted, before: State) -> Dict[str, Any]:
    return {
        "id": wanted.id,
        "path": layout.release(wanted.id),
        "previous": previous_of(wanted, before),
        "files": len(wanted.files),
    }


DEFINITION = ModuleDefinition(argument_spec=ARGUMENT_SPEC, run=run, rules=RULES)
