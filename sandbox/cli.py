# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The command line: up, down, status, ssh, console, logs, faults."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional

from sandbox import lifecycle
from sandbox.client import ask
from sandbox.record import Record
from sandbox.settings import DEFAULT_PORT, Settings, default_directory
from sandbox.trouble import SandboxError


def main(arguments: Optional[List[str]] = None) -> int:
    """Run one command; 0 if all went well, 1 with a message if not."""
    options = parser().parse_args(arguments)
    try:
        return int(COMMANDS[options.command](options) or 0)
    except SandboxError as error:
        print(f"sandbox: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """The options of all commands."""
    top = argparse.ArgumentParser(prog="sandbox", description="A local EC2 with real machines.")
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--dir", type=Path, default=argparse.SUPPRESS, help="state directory (default: .dev/sandbox)")
    top.add_argument("--dir", type=Path, default=default_directory(), help=argparse.SUPPRESS)
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[where])

    for name, text in (("up", "start the sandbox, if it does not run"), ("serve", "serve in this process")):
        command = add(name, text)
        command.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"port on 127.0.0.1 ({DEFAULT_PORT})")
        command.add_argument("--api-only", action="store_true", help="no machines: states change, nothing runs")
        command.add_argument("--pace", type=float, default=0.2, help="seconds that a passing state lasts (0.2)")
    add("down", "end the sandbox and remove all that it made")
    add("status", "what runs").add_argument("--json", action="store_true", help="for programs")
    shell = add("ssh", "log in to an instance, by name or id")
    shell.add_argument("name")
    shell.add_argument("remote", nargs=argparse.REMAINDER, metavar="cmd")
    add("console", "what an instance wrote to its console").add_argument("name")
    add("logs", "what the sandbox wrote to its log").add_argument("-n", type=int, default=50, help="lines (50)")
    faults = add("faults", "switch unkind behaviour on: name=value …; none: show; off: all off")
    faults.add_argument("values", nargs="*", metavar="name=value")
    return top


def _settings(options: argparse.Namespace) -> Settings:
    directory = options.dir.expanduser().absolute()
    return Settings(directory, options.port, options.api_only, options.pace)


def _running(options: argparse.Namespace) -> Record:
    record = Record.read(Settings(options.dir.absolute()).record)
    if record is None or not record.alive:
        raise SandboxError(f"no sandbox runs in {options.dir}; start one with `up`")
    return record


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _up(options: argparse.Namespace) -> None:
    record = lifecycle.up(_settings(options), _tell)
    print(
        f"sandbox at {record.endpoint}, public addresses {record.addresses}\n"
        f"  export AWS_ENDPOINT_URL={record.endpoint} AWS_DEFAULT_REGION=us-east-1\n"
        f"  export AWS_ACCESS_KEY_ID=sandbox AWS_SECRET_ACCESS_KEY=sandbox"
    )


def _serve(options: argparse.Namespace) -> int:
    from sandbox.server import serve

    return serve(_settings(options))


def _down(options: argparse.Namespace) -> None:
    lifecycle.down(Settings(options.dir.absolute()), _tell)


def _status(options: argparse.Namespace) -> None:
    status = ask(_running(options).endpoint, "status")
    if options.json:
        print(json.dumps(status, indent=2))
        return
    print(f"{status['endpoint']}  {'API only' if status['api_only'] else 'with machines'}  {status['directory']}")
    for instance in status["instances"]:
        if instance["state"] == "terminated":
            continue
        address = f"{instance['user']}@{instance['public_ip']}" if instance["public_ip"] else "-"
        print(f"  {instance['id']}  {instance['name'] or '-':<20} {instance['state']:<10} {address}")
        for volume in instance["volumes"]:
            print(f"      {volume['id']}  {volume['device']:<12} {volume['size']:>5} GiB  {volume['name']}")


def _find(options: argparse.Namespace) -> Dict[str, Any]:
    instances = ask(_running(options).endpoint, "status")["instances"]
    found = [i for i in instances if options.name in (i["id"], i["name"]) and i["state"] != "terminated"]
    if len(found) != 1:
        names = ", ".join(f"{i['name'] or '-'} ({i['id']})" for i in found or instances) or "none"
        raise SandboxError(f"{'more than one' if found else 'no'} instance is called {options.name!r}; there are: {names}")
    return found[0]


def _ssh(options: argparse.Namespace) -> None:
    instance = _find(options)
    if not instance.get("key_file"):
        raise SandboxError(f"no private key of {instance['key_name'] or 'this instance (it has no key pair)'} in .dev/keys or ~/.ssh")
    door = instance.get("door")
    if not door:
        raise SandboxError(f"{instance['id']} is {instance['state']}: there is no machine to log in to")
    command = ["ssh", "-i", instance["key_file"], "-p", str(door), "-o", "IdentitiesOnly=yes"]
    command += ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR"]
    command += [f"{instance['user']}@127.0.0.1", *options.remote]
    os.execvp(command[0], command)  # noqa: S606  # the terminal goes to ssh


def _console(options: argparse.Namespace) -> None:
    console = Path(_find(options).get("console") or "/nonexistent")
    if not console.exists():
        raise SandboxError(f"{options.name} has no console: it never ran as a machine")
    sys.stdout.write(console.read_text(encoding="utf-8", errors="replace"))


def _logs(options: argparse.Namespace) -> None:
    log = Settings(options.dir.absolute()).log
    if not log.exists():
        raise SandboxError(f"no log at {log}")
    print("\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-options.n :]))


def _faults(options: argparse.Namespace) -> None:
    endpoint = _running(options).endpoint
    if options.values == ["off"]:
        current = ask(endpoint, "faults")
        options.values = [f"{name}={'' if isinstance(value, str) else 0}" for name, value in current.items()]
    values = dict(entry.partition("=")[::2] for entry in options.values)
    answer = ask(endpoint, "faults", values) if values else ask(endpoint, "faults")
    print("\n".join(f"{name}={value}" for name, value in answer.items()))


COMMANDS = {
    "up": _up,
    "serve": _serve,
    "down": _down,
    "status": _status,
    "ssh": _ssh,
    "console": _console,
    "logs": _logs,
    "faults": _faults,
}
