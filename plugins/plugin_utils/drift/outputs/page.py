# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The report as one HTML page: nothing is loaded, light and dark, wide and narrow, by keyboard and by screen reader."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from .text import about, differences, expiring, moment, seen, spelt

#: More would make the page slow; the whole is in report.json.
MOST_FINDINGS = 2000

STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#4a525c;--paper:#fff;--panel:#f4f6f8;--line:#c9d1d9;--link:#0550ae;
--good:#116329;--bad:#a40e26;--odd:#6f4400;--focus:#0550ae}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#b1bac4;--paper:#0d1117;--panel:#161b22;--line:#3d444d;--link:#79b8ff;
--good:#56d364;--bad:#ff9492;--odd:#e3b341;--focus:#79b8ff}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main,header{max-width:75rem;margin:0 auto;padding:0 1rem}
header{padding-top:1rem}main{padding-bottom:2rem}
p,li,summary{overflow-wrap:anywhere}
a{color:var(--link)}
.skip{position:absolute;left:-99rem}.skip:focus{position:static}
:focus-visible{outline:3px solid var(--focus);outline-offset:2px}
h1{font-size:1.6rem;margin:.2rem 0}h2{font-size:1.25rem;margin:2rem 0 .5rem}
h3{font-size:1.05rem;margin:1.2rem 0 .4rem;overflow-wrap:anywhere}
.verdict{border-left:.5rem solid;padding:.3rem 0 .3rem 1rem}
.in_sync{border-color:var(--good)}.in_sync h1{color:var(--good)}
.drift{border-color:var(--bad)}.drift h1{color:var(--bad)}
.unknown{border-color:var(--odd)}.unknown h1{color:var(--odd)}
.soft{color:var(--soft)}
.tiles{display:flex;flex-wrap:wrap;gap:.6rem;padding:0;margin:1rem 0;list-style:none}
.tiles li{background:var(--panel);border:1px solid var(--line);border-radius:.4rem;padding:.4rem .9rem}
.tiles b{display:block;font-size:1.4rem;font-variant-numeric:tabular-nums}
table{border-collapse:collapse;width:100%;margin:.4rem 0}
caption{text-align:left;color:var(--soft);padding:.2rem 0}
.finding table{table-layout:fixed}.finding th:first-child{width:20%}
.finding caption{position:absolute;width:1px;height:1px;padding:0;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.only{font-weight:700;text-decoration:underline}
th,td{border:1px solid var(--line);padding:.3rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
th{background:var(--panel)}
td code{white-space:pre-wrap}
code{font:.9em ui-monospace,monospace}
.finding{position:relative;border:1px solid var(--line);border-radius:.4rem;padding:.5rem .9rem;margin:.6rem 0}
.finding h4{margin:0 0 .5rem;font-size:1rem;overflow-wrap:anywhere}
.mark{border:1px solid currentColor;border-radius:.3rem;padding:0 .4rem;font-size:.85rem;font-weight:400;
white-space:nowrap;color:var(--soft)}
.critical,.high{color:var(--bad)}.medium{color:var(--odd)}.low{color:var(--soft)}
input{font:inherit;padding:.4rem;width:100%;max-width:30rem;
background:var(--paper);color:var(--ink);border:1px solid var(--soft);border-radius:.3rem}
@media(max-width:40rem){thead{position:absolute;left:-99rem}tr{display:block;margin-bottom:.6rem}
td,tbody th{display:block;border-bottom:0}tr td:last-child{border-bottom:1px solid var(--line)}
td::before{content:attr(data-label) ": ";color:var(--soft)}}
@media print{.filter{display:none}}
"""

SCRIPT = """
const box=document.getElementById('filter'),told=document.getElementById('told');
document.querySelector('.filter').hidden=false;
box.addEventListener('input',()=>{const want=box.value.toLowerCase();let n=0;
for(const one of document.querySelectorAll('.finding')){one.hidden=!one.textContent.toLowerCase().includes(want);n+=!one.hidden}
for(const host of document.querySelectorAll('.host'))host.hidden=!host.querySelector('.finding:not([hidden])');
told.textContent=n+' shown'});
"""


def page(report: Mapping[str, Any]) -> str:
    """The whole page."""
    followed = [one for one in report["findings"] if one["kind"] in ("drift", "pending", "hidden", "executed") and not one["suppressed"]]
    suppressed = [one for one in report["findings"] if one["suppressed"]]
    allowed = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'; base-uri 'none'; form-action 'none'"
    title = escape(f"Drift check: {report['title']}")
    head = (
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{title}</title>",
        f"<style>{STYLE}</style>",
    )
    body = (
        '<a class="skip" href="#content">To the content</a>',
        f"<header>{_head(report)}</header>",
        f'<main id="content" tabindex="-1">{_problems(report)}{_findings(followed)}{_others(report, suppressed)}{_hosts(report)}</main>',
        f"<script>{SCRIPT}</script>" if followed else "",
    )
    lines = ("<!doctype html>", '<html lang="en">', "<head>", *head, "</head>", "<body>", *body, "</body>", "</html>")
    return "\n".join(lines) + "\n"


def _head(report: Mapping[str, Any]) -> str:
    lines = "".join(f'<p class="soft">{escape(line)}</p>' for line in about(report))
    counts = {"hosts looked at": f"{report['hosts']['evaluated']} of {report['hosts']['expected']}", **report["counts"]}
    tiles = "".join(f"<li><b>{escape(str(count))}</b>{escape(name)}</li>" for name, count in counts.items())
    when = f'<p class="soft">Evaluated {escape(moment(report["evaluated"]))}.</p>'
    verdict = f'<div class="verdict {escape(report["verdict"])}" role="status"><h1>{escape(report["title"])}</h1>'
    return f'{verdict}<p>{escape(report["summary"])}</p></div>{lines}{when}<ul class="tiles" aria-label="Counts">{tiles}</ul>'


def _problems(report: Mapping[str, Any]) -> str:
    if not report["problems"]:
        return ""
    rows = [(one["host"] or "(run)", one["meaning"], one["text"]) for one in report["problems"][:MOST_FINDINGS]]
    table = _table("What must be settled before the verdict can be believed", ("host", "why", "what was said"), rows)
    return f"<h2>Why it could not tell</h2>{table}"


def _findings(findings: list[dict[str, Any]]) -> str:
    if not findings:
        return "<h2>What differs</h2><p>Nothing.</p>"
    shown = sorted(findings[:MOST_FINDINGS], key=lambda one: str(one["host"]))
    hosts = [_host(host, list(ones)) for host, ones in groupby(shown, key=lambda one: str(one["host"]))]
    more = f"<p>{len(findings) - MOST_FINDINGS} more are in report.json.</p>" if len(findings) > MOST_FINDINGS else ""
    box = (
        '<p class="filter" hidden><label for="filter">Show only what contains</label><br>'
        '<input id="filter" type="search" autocomplete="off"> <span id="told" role="status" class="soft"></span></p>'
    )
    return f"<h2>What differs</h2>{box}{''.join(hosts)}{more}"


def _host(host: str, findings: list[dict[str, Any]]) -> str:
    return (
        f'<section class="host" aria-label="{escape(host)}"><h3>{escape(host)}</h3>{"".join(_finding(one) for one in findings)}</section>'
    )


def _finding(finding: Mapping[str, Any]) -> str:
    marks = [("", finding["kind"]), (finding["severity"], finding["severity"]), ("", finding["state"])]
    marks += [("high", "flapping")] if finding.get("flapping") else []
    spans = " ".join(f'<span class="mark {escape(kind)}">{escape(mark)}</span>' for kind, mark in marks if mark)
    rows = [
        (f"<code>{escape(one['path'])}</code>", _value(one["expected"], one["actual"]), _value(one["actual"], one["expected"]))
        for one in finding["attributes"]
    ]
    table = _rows(f"Attributes of {finding['resource']}", ("attribute", "expected", "actual"), rows) if rows else ""
    words = "" if rows else "".join(f"<p>{escape(line)}</p>" for line in differences(finding))
    facts = [f"{finding['task']} ({finding['file']}:{finding['line']})"]
    facts += [f"role {finding['role']}"] if finding["role"] else []
    facts += [f"owner {finding['owner']}"] if finding["owner"] else []
    facts += [f"since {moment(finding['since'])}, {seen(finding)}"] if finding.get("since") else []
    facts += [f"delegated to {finding['delegated_to']}"] if finding.get("delegated_to") else []
    item = f" [{finding['item']}]" if finding["item"] and finding["item"] not in finding["resource"] else ""
    head = f"<h4>{escape(finding['resource'] + item)} {spans}</h4>"
    return f'<article class="finding">{head}{table}{words}<p class="soft">{escape("; ".join(facts))}</p></article>'


def _others(report: Mapping[str, Any], suppressed: list[dict[str, Any]]) -> str:
    parts = []
    if report["resolved"]:
        rows = [(one["host"], one["resource"], moment(one["first_seen"])) for one in report["resolved"][:MOST_FINDINGS]]
        parts.append(f"<h2>Resolved</h2>{_table('Gone since the run before', ('host', 'resource', 'first seen'), rows)}")
    if suppressed:
        known = [
            (one["host"], one["resource"], str(by["reason"]), str(by["owner"]), str(by["expires"]))
            for one in suppressed[:MOST_FINDINGS]
            for by in one["suppressed"]
        ]
        table = _table("Known, and not part of the verdict", ("host", "resource", "reason", "owner", "until"), known)
        parts.append(f"<h2>Suppressed</h2>{table}")
    notes = "".join(f"<li>{escape(line)}</li>" for line in expiring(report))
    if notes:
        parts.append(f"<h2>Suppressions to look at</h2><ul>{notes}</ul>")
    return "".join(parts)


def _hosts(report: Mapping[str, Any]) -> str:
    rows = [(host, state.replace("_", " ")) for host, state in list(report["hosts"]["states"].items())[:MOST_FINDINGS]]
    table = _table("Each host that was expected", ("host", "state"), rows)
    return f"<details><summary>All hosts ({report['hosts']['expected']})</summary>{table}</details>" if rows else ""


def _value(value: Any, other: Any) -> str:
    """A value as code; of a list one member a line, and marked what the other side has not."""
    if not isinstance(value, list) or not value:
        return f"<code>{escape(spelt(value))}</code>"
    there = other if isinstance(other, list) else []
    lines = (escape(spelt(one)) if one in there else f'<span class="only">{escape(spelt(one))}</span>' for one in value)
    return f"<code>{'<br>'.join(lines)}</code>"


def _table(caption: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of texts."""
    return _rows(caption, heads, [tuple(f"<code>{escape(cell)}</code>" for cell in row) for row in rows])


def _rows(caption: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    lines = "".join(
        "<tr>" + "".join(f'<td data-label="{escape(name)}">{cell}</td>' for name, cell in zip(heads, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
