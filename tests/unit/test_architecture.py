# Copyright (c) steadfast.ec2 contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shape of the house: who may import whom, and how large a part may grow."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
UTILS = PLUGINS / "module_utils"
CONTROLLER = ("inventory", "callback", "action", "filter", "plugin_utils")
FUNCTION_LINES, FILE_LINES, MODULE_LINES = 40, 400, 15


@dataclass(frozen=True)
class Source:
    """One Python file."""

    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        return self.path.read_text()

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """All of the tree."""
        return tuple(ast.walk(self.tree))

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def area(self) -> str:
        """`plugins/module_utils/ec2`, `plugins/modules`, `sandbox`."""
        parts = self.path.relative_to(ROOT).parts
        return "/".join(parts[: 3 if parts[:2] == ("plugins", "module_utils") else 2 if parts[0] == "plugins" else 1])

    @cached_property
    def imports(self) -> tuple[str, ...]:
        """Everything imported anywhere in the file, as full dotted names inside this repository (`plugins.module_utils.…`)."""
        return tuple(self._imports())

    def _imports(self) -> Iterator[str]:
        package = self.path.relative_to(ROOT).with_suffix("").parts[:-1]
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = package[: len(package) - node.level + 1] if node.level else ()
                module = ".".join((*base, *([node.module] if node.module else [])))
                module = module.removeprefix("ansible_collections.steadfast.ec2.")
                yield from (f"{module}.{alias.name}" for alias in node.names)


@cache
def source(path: Path) -> Source:
    """One for each file, so that it is read and parsed once for all tests."""
    return Source(path)


def sources(*folders: str) -> list[Source]:
    """The Python files below these folders of the repository."""
    return [source(path) for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def importing(files: list[Source], *prefixes: str, but: tuple[str, ...] = ()) -> list[str]:
    """`file: import` for each import that begins with one of `prefixes` (as dotted names) and none of `but`."""

    def within(name: str, roots: tuple[str, ...]) -> bool:
        return any(name == root or name.startswith(root + ".") for root in roots)

    return [f"{file.name}: {name}" for file in files for name in file.imports if within(name, prefixes) and not within(name, but)]


U = "plugins.module_utils"

#: area → what it must never import, and what of that it may.
FORBIDDEN: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "plugins/module_utils/engine": ((f"{U}.aws", f"{U}.ec2", f"{U}.disk", f"{U}.site"), ()),
    "plugins/module_utils/aws": ((f"{U}.ec2", f"{U}.disk", f"{U}.site"), ()),
    "plugins/module_utils/ec2": ((f"{U}.disk", f"{U}.site", "ansible"), ()),
    "plugins/module_utils/disk": ((f"{U}.aws", f"{U}.ec2", f"{U}.site", "ansible"), ()),
    "plugins/module_utils/site": ((f"{U}.aws", f"{U}.ec2", f"{U}.disk", "ansible"), ()),
    "plugins/modules": (("ansible", "plugins"), (U,)),
    "plugins/inventory": (("plugins.modules", "plugins.action"), ()),
    "plugins/callback": (("plugins.modules", f"{U}.aws", f"{U}.ec2"), ()),
    "plugins/filter": (("plugins.modules", f"{U}.aws"), ()),
}


@pytest.mark.parametrize("area", FORBIDDEN)
def test_imports_point_one_way(area: str) -> None:
    """Modules import one resource, resources import the engine; nothing points back."""
    forbidden, but = FORBIDDEN[area]
    assert importing([file for file in sources("plugins") if file.area == area], *forbidden, but=but) == []


def test_only_controller_plugins_import_controller_code() -> None:
    """What travels to targets never imports plugin_utils, which does not travel."""
    assert importing(sources("plugins/modules", "plugins/module_utils"), *(f"plugins.{kind}" for kind in CONTROLLER)) == []


def test_boto_enters_through_one_file() -> None:
    """botocore and boto3 are imported by aws/client.py alone."""
    found = {line.split(":")[0] for line in importing(sources("plugins"), "boto3", "botocore")}
    assert found <= {"plugins/module_utils/aws/client.py"}


def test_ansible_module_enters_through_one_file() -> None:
    """AnsibleModule is imported by engine/module.py alone."""
    found = {line.split(":")[0] for line in importing(sources("plugins"), "ansible.module_utils.basic")}
    assert found == {"plugins/module_utils/engine/module.py"}


def test_plugins_and_sandbox_do_not_know_each_other() -> None:
    """A fault that both shared would hide itself."""
    assert importing(sources("plugins"), "sandbox") == []
    assert importing(sources("sandbox"), "plugins", "ansible", "ansible_collections") == []


def test_the_task_ends_in_one_file() -> None:
    """exit_json and fail_json are called by engine/module.py alone: below it, errors are raised."""
    calls = {
        file.name
        for file in sources("plugins")
        for node in file.nodes
        if isinstance(node, ast.Attribute) and node.attr in ("exit_json", "fail_json")
    }
    assert calls == {"plugins/module_utils/engine/module.py"}


#: Where check mode is known besides the engine, how often, and why that is no second way of deciding what is done.
KNOWN_OF_CHECK_MODE = {
    "plugins/module_utils/engine/reconcile.py": 1,  # here it is decided: `apply` is left out
    "plugins/module_utils/site/config_definition.py": 1,  # a check must not fail for a program that the run itself will install
    "plugins/module_utils/site/definition.py": 2,  # a check takes no lock file, and needs no archive
}


def test_check_mode_is_decided_in_one_line() -> None:
    """One `if` in the engine leaves out `apply`; resources do not know about check mode."""
    deciding = Counter(
        file.name
        for file in sources("plugins/module_utils", "plugins/modules")
        for node in file.nodes
        if isinstance(node, (ast.If, ast.IfExp, ast.While))
        if any(isinstance(part, (ast.Name, ast.Attribute)) and "check_mode" in ast.unparse(part) for part in ast.walk(node.test))
    )
    assert deciding == KNOWN_OF_CHECK_MODE


@pytest.mark.parametrize("file", sources("plugins/modules", "plugins/module_utils"), ids=lambda file: file.name)
def test_what_runs_on_targets_is_python_3_8(file: Source) -> None:
    """Modules and module_utils can be read by the oldest Python that targets have."""
    ast.parse(file.text, feature_version=(3, 8))


def documentation_and_code(file: Source) -> int:
    """Lines of a module that are code: without documentation, imports and comments."""
    documented = {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    code: set[int] = set()
    for node in file.tree.body:
        is_documentation = isinstance(node, ast.Assign) and {ast.unparse(target) for target in node.targets} <= documented
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not (is_documentation or is_text or isinstance(node, (ast.Import, ast.ImportFrom))):
            code.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(code)


@pytest.mark.parametrize("file", sources("plugins/modules"), ids=lambda file: file.name)
def test_modules_are_documentation_and_a_few_lines(file: Source) -> None:
    """No logic in a module file: no branch, no handler, a few lines."""
    assert documentation_and_code(file) <= MODULE_LINES
    branches = [node for node in file.nodes if isinstance(node, (ast.If, ast.Try, ast.For, ast.While))]
    assert [ast.unparse(node.test) for node in branches if isinstance(node, ast.If)] == ["__name__ == '__main__'"]
    assert len(branches) == 1


@pytest.mark.parametrize("file", sources("plugins", "sandbox"), ids=lambda file: file.name)
def test_parts_stay_small(file: Source) -> None:
    """A function fits on a screen, a file in a head (documentation of plugins not counted)."""
    long = [
        f"{node.name}: {(node.end_lineno or 0) - node.lineno + 1} lines"
        for node in file.nodes
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES
    ]
    assert long == []
    assert len(file.text.splitlines()) - documentation_lines(file) <= FILE_LINES


def test_tests_stay_small() -> None:
    """A file of tests fits in a head, too."""
    assert [file.name for file in sources("tests") if len(file.text.splitlines()) > FILE_LINES] == []


def documentation_lines(file: Source) -> int:
    """Lines of DOCUMENTATION, EXAMPLES and RETURN."""
    return sum(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for node in file.tree.body
        if isinstance(node, ast.Assign) and {ast.unparse(target) for target in node.targets} <= {"DOCUMENTATION", "EXAMPLES", "RETURN"}
    )


def test_modules_with_connection_options_are_in_the_action_group() -> None:
    """`module_defaults: group/steadfast.ec2.ec2` reaches every module that takes the connection options, and no other."""
    connected = {
        file.path.stem
        for file in sources("plugins/modules")
        for node in file.tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DOCUMENTATION"
        if "steadfast.ec2.connection" in yaml.safe_load(ast.literal_eval(node.value)).get("extends_documentation_fragment", [])
    }
    runtime = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())
    assert {str(name) for name in runtime["action_groups"]["ec2"]} == connected


@pytest.mark.parametrize("path", sorted((*UTILS.rglob("__init__.py"), *(ROOT / "tests").rglob("__init__.py"))), ids=str)
def test_packages_are_empty(path: Path) -> None:
    """A package's own file travels with every module, so there is nothing in it."""
    assert path.read_text().strip() == ""
