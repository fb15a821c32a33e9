# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every output can be read by who reads it: browsers and screen readers, CI systems, Prometheus."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.outputs.data import junit, prometheus, sarif
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.outputs.page import STYLE, page
from ansible_collections.steadfast.ec2.plugins.plugin_utils.drift.outputs.text import markdown, terminal

Make = Callable[..., Any]
EVIL = "<script>alert(1)</script> | `x` \"'&\x00 @everyone"


@pytest.fixture
def report(story: Any, make_finding: Make) -> dict[str, Any]:
    """A report with everything in it, and with names that somebody chose to do harm."""
    known = {"reason": "known", "owner": "me", "expires": "2999-01-01"}
    story.decide(suppressions=[{"resource": "/known", **known}, {"resource": "/old", **known, "expires": "2000-01-01"}])
    story.run(make_finding("/gone"))
    return story.run(
        make_finding(EVIL, actual=EVIL),
        make_finding("/known"),
        make_finding("/censored", attributes=[], censored=True, host=EVIL),
        make_finding("Files", "h2", kind="unreachable", attributes=[], message=EVIL),
        hosts=["h1", "h2", EVIL],
    )


class Page(HTMLParser):
    """What is on a page, as far as the promises below are about it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_is_whole_and_loads_nothing(report: dict[str, Any]) -> None:
    """Every element is closed; nothing is loaded; what is found is text, never markup."""
    shown = Page(page(report))
    assert shown.open == []
    assert len(shown.all("script")) == 1
    assert [one for _tag, one in shown.elements if "src" in one or not str(one.get("href", "#")).startswith("#")] == []
    (policy,) = [one["content"] for one in shown.all("meta") if one.get("http-equiv")]
    assert str(policy).startswith("default-src 'none'")


def test_the_page_can_be_used_by_keyboard_and_screen_reader(report: dict[str, Any]) -> None:
    """A language, one main heading, no level left out, a way past the head, captions and scopes of tables, labels of inputs."""
    shown = Page(page(report))
    assert shown.all("html")[0]["lang"] == "en"
    levels = [int(tag[1]) for tag, _attributes in shown.elements if re.fullmatch(r"h[1-6]", tag)]
    assert (levels[0], levels.count(1)) == (1, 1)
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert {one["href"] for one in shown.all("a")} == {"#content"}
    assert shown.all("main")[0]["id"] == "content"
    assert len(shown.all("table")) == len(shown.all("caption")) > 3
    assert all(one.get("scope") == "col" for one in shown.all("th"))
    assert {one["id"] for one in shown.all("input")} == {one["for"] for one in shown.all("label")}
    assert "outline" in STYLE


def luminance(colour: str) -> float:
    """Relative luminance, as WCAG 2.2 defines it."""
    digits = colour if len(colour) == 6 else "".join(digit * 2 for digit in colour)
    channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_texts_have_enough_contrast(theme: int) -> None:
    """At least 4.5 to 1 for every colour of text on both backgrounds, in light and in dark (WCAG 2.2, 1.4.3)."""
    block = re.findall(r":root\{([^}]*)\}", STYLE)[theme]
    colours = {name: luminance(value) for name, value in re.findall(r"--(\w+):#(\w+)", block)}
    for background in ("paper", "panel"):
        for ink in ("ink", "soft", "link", "good", "bad", "odd"):
            lighter, darker = sorted((colours[ink], colours[background]), reverse=True)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (ink, background)


def test_junit_is_xml_with_true_counts(report: dict[str, Any]) -> None:
    """The counts are those of its elements, and characters that XML has not are gone."""
    root = ElementTree.fromstring(junit(report))  # noqa: S314 - our own
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"), ("tests", "testcase")):
        assert int(root.get(name, "-1")) == len(root.findall(f".//{tag}"))
        assert sum(int(suite.get(name, "-1")) for suite in root) == int(root.get(name, "-1"))
    assert {suite.get("name") for suite in root} >= {"h1", "h2"}


def test_sarif_has_what_code_scanning_asks_for(report: dict[str, Any]) -> None:
    """A location with a relative address in every result, a rule for each id, distinct fingerprints."""
    (run,) = json.loads(sarif(report))["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    marks = [one["partialFingerprints"]["steadfastDrift/v1"] for one in run["results"]]
    assert len(set(marks)) == len(marks) == 4
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]
        assert not place["artifactLocation"]["uri"].startswith("/")
        assert place["region"]["startLine"] >= 1
        assert result["ruleId"] in rules
    assert [len(one.get("suppressions", [])) for one in run["results"]].count(1) == 1


def test_prometheus_text_is_well_formed(report: dict[str, Any]) -> None:
    """Each metric has one HELP and one TYPE before its samples; no sample stands twice."""
    lines = prometheus(report).splitlines()
    samples = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r'steadfast_drift_\w+(\{(\w+="[\w-]*",?)+\})?', name) and float(value) >= 0 for name, value in samples)
    assert len({name for name, _value in samples}) == len(samples)
    helped = [line.split(" ")[2] for line in lines if line.startswith("# HELP")]
    assert sorted(set(helped)) == sorted(helped) == sorted({name.split("{")[0] for name, _value in samples})
    assert "steadfast_drift_last_success_timestamp_seconds" in helped


def test_markdown_and_terminal_show_names_as_they_are(report: dict[str, Any]) -> None:
    """In Markdown no name becomes markup or a mention; the terminal begins and ends with the verdict."""
    words = markdown(report)
    assert "<script" not in words
    assert "@everyone" not in words
    rows = [line for line in words.splitlines() if line.startswith("|") and "---" not in line]
    assert {line.count("|") for line in rows} <= {4, 8}
    lines = terminal(report).splitlines()
    assert lines[0] == lines[-1] == report["summary"]
