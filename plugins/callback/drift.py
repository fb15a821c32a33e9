# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Callback steadfast.ec2.drift."""

from __future__ import annotations

DOCUMENTATION = r"""
name: drift
type: notification
short_description: Record what check mode finds, for a drift report
version_added: 0.1.0
description:
  - Writes one JSON line for each thing that check mode would change, that it cannot tell, or that failed, for each host, task and item of
    a loop, with the attributes that differ. The command C(scripts/drift) of this collection makes a verdict and reports of it.
  - It never writes the arguments of a task. Secrets are hidden; see O(show_text) for what that means for the content of files.
  - Works with any playbook. Stock modules say which attributes differ only with C(--diff).
  - In a run that is no check it writes hashes of what was declared, by which drift is told from changes that are not applied yet.
options:
  directory:
    description:
      - Where the records go, in a folder C(records). It is made with mode 0700, and every file with 0600.
    type: path
    default: ~/.local/state/steadfast-drift
    env: [{name: STEADFAST_DRIFT_DIR}]
    ini: [{section: steadfast_drift, key: directory}]
  run:
    description: The id of the run; shards of one run have the same. The default is made of the time.
    type: str
    env: [{name: STEADFAST_DRIFT_RUN}]
  shard:
    description: The name of this part of a run that is split among several processes or machines.
    type: str
    env: [{name: STEADFAST_DRIFT_SHARD}]
  shards:
    description: How many parts the run is split into, so that one that is missing is noticed. V(0) is not told.
    type: int
    default: 0
    env: [{name: STEADFAST_DRIFT_SHARDS}]
  mode:
    description:
      - V(auto) is a check with C(--check), or when plays are in check mode by themselves.
    type: str
    choices: [auto, check, apply]
    default: auto
    env: [{name: STEADFAST_DRIFT_MODE}]
  show_text:
    description:
      - Globs of the paths of files of which lines that differ are recorded, such as V(/etc/nginx/*). Of all other files there is only how
        many lines differ, and a keyed hash, because nobody can tell whether a line of a file is a secret.
      - What is known or looks like a secret is hidden in these lines too.
    type: list
    elements: str
    default: []
    env: [{name: STEADFAST_DRIFT_SHOW_TEXT}]
    ini: [{section: steadfast_drift, key: show_text}]
requirements:
  - enabled in configuration (C(callbacks_enabled = steadfast.ec2.drift)), or by C(scripts/drift), which does it by itself
author:
  - The steadfast.ec2 authors (@steadfast-collections)
"""

EXAMPLES = r"""
ansible.cfg: |
  [defaults]
  callbacks_enabled = steadfast.ec2.drift
  [steadfast_drift]
  show_text = /etc/nginx/*
"""

import os
import secrets
import time
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.release import __version__ as ansible_version

from ..plugin_utils.drift.attributes import Shower
from ..plugin_utils.drift.batch import Batch
from ..plugin_utils.drift.fleet import Redaction
from ..plugin_utils.drift.observe import Observer
from ..plugin_utils.drift.recorder import Recorder, Settings
from ..plugin_utils.drift.redact import Redactor
from ..plugin_utils.drift.storage import private_directory, secret_key


class CallbackModule(CallbackBase):
    """Hands what happens to the recorder."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "steadfast.ec2.drift"
    CALLBACK_NEEDS_ENABLED = True

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        """Read the options; the recorder is made of them."""
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        directory = private_directory(Path(os.path.expandvars(self.get_option("directory"))).expanduser())
        run = self.get_option("run") or f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"
        shard = self.get_option("shard") or str(os.getpid())
        settings = Settings(directory, run, shard, self.get_option("mode"), self.get_option("shards"))
        shower = Shower(Redactor(secret_key(directory)), tuple(self.get_option("show_text")))
        self._recorder = Recorder(settings, Observer(shower), Redaction())
        self._batch = Batch(self._recorder)
        self._play: Any = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        arguments = context.CLIARGS
        self._recorder.open(
            {
                "basedir": playbook._basedir,
                "playbook": playbook._file_name,
                "playbooks": len(arguments.get("args") or ()),
                "check": bool(arguments.get("check")),
                "diff": bool(arguments.get("diff")),
                "limit": arguments.get("subset") or "",
                "tags": [tag for tag in arguments.get("tags") or () if tag != "all"],
                "skip_tags": list(arguments.get("skip_tags") or ()),
                "start_at": arguments.get("start_at_task") or "",
                "ansible": ansible_version,
            }
        )

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._batch.flush()
        self._play = play
        self._recorder.play(play)

    def v2_playbook_on_no_hosts_matched(self) -> None:
        self._batch.flush()
        self._recorder.empty(self._play)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._batch.add(self._recorder.ok, result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._batch.add(self._recorder.ok, result, True)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._batch.add(self._recorder.skipped, result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        self._batch.add(self._recorder.skipped, result, True)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._batch.add(self._recorder.failed, result, ignore_errors)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._batch.add(self._recorder.failed, result, None, True)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._batch.add(self._recorder.unreachable, result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._batch.flush()
        self._recorder.close(stats)
