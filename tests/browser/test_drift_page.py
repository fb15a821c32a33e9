# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The page of a drift check as people see and use it, in a real browser: light, dark, narrow, and without a mouse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift import history
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.evaluate import Asked, evaluate
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.outputs.page import page
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.policy import read_policy
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.records import read_run

from tests.unit.plugins.plugin_utils.drift.conftest import NOW, finding, record

from .conftest import ENTER, TAB, Browser

ROLES = "steadfast/ec2/roles"
#: {name: width of the window, dark}
VIEWS = {"light": (1280, False), "dark": (1280, True), "narrow": (360, False), "narrow-dark": (360, True)}
#: What axe is asked for: WCAG 2.2 A and AA, and what it calls good practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def part(path: str, expected: Any, actual: Any) -> dict[str, Any]:
    return {"path": path, "expected": expected, "actual": actual, "hash": f"{expected}{actual}"}


def findings() -> list[dict[str, Any]]:
    """A bit of everything that a report can have, with long names and markup in them."""
    fleet = {"task": "Key pairs, security groups, instances, volumes and addresses", "action": "steadfast.ec2.fleet", "line": 3}
    fleet["file"] = "steadfast/ec2/playbooks/tasks/fleet.yml"
    rules = [{"protocol": "tcp", "ports": "22", "cidr": "10.0.0.0/8"}, {"protocol": "tcp", "ports": "80", "cidr": "0.0.0.0/0"}]
    opened = [*rules, {"protocol": "tcp", "ports": "23", "cidr": "0.0.0.0/0"}]
    nginx = {
        "task": "Write the configuration, tested first",
        "role": "web_server",
        "file": f"{ROLES}/web_server/tasks/main.yml",
        "line": 26,
    }
    web, shop = "web-1.shop.production.eu-central-1.example.com", "web-2"
    spelt = ("text of 48 lines, 1 missing or different (8c2f11d0a94be7d3)", "text of 48 lines, 1 not expected (41d9c5e86ab20f17)")
    line = "UUID=6f0a2c1e-9b55-5f6e-8f52-0f2f1c7a9f44 /var/www/html/images ext4 defaults,nofail 0 2"
    differs = [
        ("security_group moso-web-dev-sg", "localhost", part("ingress", rules, opened), {**fleet, "resource_kind": "security_group"}),
        ("instance web", "localhost", part("tags.Owner", "web-team", "<script>alert(1)</script>"), fleet),
        ("file /etc/nginx/conf.d/steadfast.conf", web, part("content", *spelt), nginx),
        ("fstab /var/www/html/images", web, part("lines", line, None), {"role": "data_disk"}),
        ("/opt/known", shop, part("mode", "0755", "0700"), {}),
    ]
    return [
        *(finding(resource, host, attributes=[attribute], **more) for resource, host, attribute, more in differs),
        finding("/etc/motd", shop, kind="hidden"),
        finding("Reload nginx", web, kind="consequence", attributes=[]),
        finding("Run the migration", shop, kind="unknown", attributes=[], message="Command would have run if not in check mode"),
    ]


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of a check that could not tell all, and of one that is in sync."""
    folder = tmp_path_factory.mktemp("pages")
    known = {
        "resource": "/opt/known",
        "reason": "the vendor's installer sets it; ticket OPS-1201",
        "owner": "web-team",
        "expires": "2027-06-30",
    }
    (folder / "policy.json").write_text(json.dumps({"suppressions": [known], "owners": [{"host": "web-*", "owner": "web-team"}]}))
    hosts = ("localhost", "web-1.shop.production.eu-central-1.example.com", "web-2")
    made = {}
    for name, found in (("trouble", findings()), ("in_sync", [])):
        lines = record(found, hosts)
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        report, _remembered = evaluate(read_run([path]), read_policy(folder / "policy.json"), history.empty(), Asked(NOW + 60))
        made[name] = folder / f"{name}.html"
        made[name].write_text(page(report), encoding="utf-8")
    return made


@pytest.mark.parametrize("view", VIEWS)
def test_it_can_be_read_by_everybody(browser: Browser, pages: dict[str, Path], pictures: Path, axe: str, view: str) -> None:
    """axe finds nothing to complain about, nothing is wider than the window, and the console stays empty; a picture is taken."""
    width, dark = VIEWS[view]
    browser.open(pages["trouble"], width=width, dark=dark)
    browser.picture(pictures / f"drift-{view}.png")
    assert browser.run("return document.documentElement.scrollWidth") <= width
    assert browser.console() == []
    browser.run(axe)
    answer = browser.run("return axe.run(document, {runOnly: arguments[0]})", RULES)
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in answer["violations"]] == []
    undecided = [(one["id"], [node["target"] for node in one["nodes"]]) for one in answer["incomplete"]]
    assert undecided == []
    assert {"color-contrast", "label"} <= {one["id"] for one in answer["passes"]}


def test_a_page_without_findings_says_so(browser: Browser, pages: dict[str, Path], pictures: Path) -> None:
    """In sync is seen at a glance; there is nothing to filter."""
    browser.open(pages["in_sync"])
    browser.picture(pictures / "drift-in-sync.png")
    assert browser.run("return document.querySelector('h1').textContent") == "In sync"
    assert browser.console() == []


def test_it_can_be_used_without_a_mouse(browser: Browser, pages: dict[str, Path]) -> None:
    """Tab goes from the way past the head over the filter to the list of hosts, each seen to have the focus; Enter opens it."""
    browser.open(pages["trouble"])
    seen = []
    for _stop in range(3):
        browser.press(TAB)
        where = "const one = document.activeElement; const style = getComputedStyle(one);"
        seen.append(browser.run(f"{where} return [one.localName, style.outlineStyle, one.getBoundingClientRect().x >= 0]"))
    assert seen == [["a", "solid", True], ["input", "solid", True], ["summary", "solid", True]]
    browser.press(ENTER)
    assert browser.run("return document.querySelector('details').open")


def test_the_filter_shows_what_is_asked_for_and_says_how_many(browser: Browser, pages: dict[str, Path]) -> None:
    """Typing leaves what contains the words; hosts without a finding go, and a screen reader is told the number."""
    browser.open(pages["trouble"])
    browser.press(TAB + TAB + "fstab")
    shown = "return [...document.querySelectorAll('.finding')].filter(one => !one.hidden && one.offsetHeight).length"
    assert browser.run(shown) == 1
    assert browser.run("return [...document.querySelectorAll('.host')].filter(one => !one.hidden).length") == 1
    assert browser.run("return document.getElementById('told').textContent") == "1 shown"


def test_nothing_that_was_found_is_run(browser: Browser, pages: dict[str, Path]) -> None:
    """A tag whose value is a script is text; the page's own policy would not run it either."""
    browser.open(pages["trouble"])
    assert "<script>alert(1)</script>" in browser.run("return document.body.innerText")
    assert browser.run("return document.scripts.length") == 1
