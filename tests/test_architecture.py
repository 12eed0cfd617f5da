"""The house keeps its shape: who imports whom, what is public, what help and documents promise."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import tracker
from tracker.cli import COMMANDS, build
from tracker.cli.exits import Exit
from tracker.settings import bundled_configs

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tracker"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

STANDARD = sys.stdlib_module_names

# What the rooms may import besides the standard library; a room that is not named may import all.
LIBRARIES = {
    "types": {"numpy"},
    "errors": set(),
    "config": set(),
    "mixture": {"numpy", "scipy"},
    "tracking": {"numpy", "scipy"},
    "evaluation": {"numpy", "scipy"},
    "interrupts": set(),
    "beside": set(),
    "settings": {"msgspec"},
    "pipeline": set(),
    "cli": {"cyclopts", "rich"},
}
ROOMS = {
    "types": set(),
    "errors": set(),
    "config": set(),
    "mixture": {"types", "errors"},
    "tracking": {"types", "errors", "config", "mixture"},
    "evaluation": {"types", "errors"},
    "foreground": {"types", "errors", "config"},
    "sources": {"types", "errors", "config", "beside", "synthetic"},
    "synthetic": {"types", "errors", "config", "sources"},
    "overlay": {"types", "errors", "config"},
    "sinks": {
        "types",
        "errors",
        "config",
        "overlay",
        "sources",
        "settings",
        "beside",
        "__init__",
    },
    "fitting": {
        "types",
        "errors",
        "config",
        "mixture",
        "foreground",
        "sources",
        "sinks",
        "interrupts",
    },
    "settings": {"errors", "config"},
    "interrupts": set(),
    "beside": {"__init__"},
}
PURE = {"mixture", "tracking"}
IMPURE = {"datetime", "logging", "os", "random", "time"}
CV2_LIVES_IN = {"sources", "foreground", "overlay", "sinks"}


def room_of(module: str) -> str:
    """Return "tracking" for "tracker.tracking.policy", and "__init__" for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the package, parsed, by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found[name.removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def text_of(module: str) -> str:
    return "\n".join(
        ast.get_docstring(node) or ""
        for node in ast.walk(modules()[module])
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
    )


def imports(module: str) -> Iterator[str]:
    """Yield the dotted names that a module imports anywhere in its text."""
    for node in ast.walk(modules()[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in modules() else str(node.module) for name in names)


@pytest.mark.parametrize("module", modules())
def test_imports_point_one_way(module: str) -> None:
    room = room_of(module)
    if module in ("tracker", "tracker.__main__"):
        return  # the doors
    for name in imports(module):
        top = name.partition(".")[0]
        if top == "tracker":
            other = room_of(name)
            assert other != "cli" or room == "cli", f"{module} imports the command line"
            assert other == room or other in ROOMS.get(room, {other}), f"{module} imports {name}"
        elif top in STANDARD:
            assert room not in PURE or top not in IMPURE, f"{module} imports {name}"
        else:
            assert top in LIBRARIES.get(room, {top}), f"{module} imports {name}"
            assert top != "cv2" or room in CV2_LIVES_IN, f"{module} imports cv2"


def loaded_by(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after the code."""
    script = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.split()
    )


def test_importing_the_package_costs_nothing() -> None:
    assert not loaded_by("import tracker; tracker.Config()") & {"numpy", "scipy", "cv2", "av"}


def test_tracking_needs_no_camera_and_no_screen() -> None:
    loaded = loaded_by("import tracker; tracker.Tracker()")
    assert "numpy" in loaded
    assert not loaded & {"cv2", "av", "cyclopts", "msgspec"}


def test_a_mixture_is_fitted_without_scikit_learn() -> None:
    code = (
        "import tracker\n"
        "model = tracker.GaussianMixture(2)\n"
        "try:\n"
        "    model.predict([1.0])\n"
        "except tracker.NotFittedError:\n"
        "    model.fit([1.0, 2.0, 7.0, 8.0]).predict([1.0])"
    )
    assert not loaded_by(code) & {"sklearn", "pandas", "matplotlib", "cv2", "av"}


def test_the_public_surface_is_this() -> None:
    assert tracker.__all__ == [
        "Config",
        "ConfigError",
        "ConjugatePrior",
        "ConvergenceWarning",
        "Frame",
        "GaussianMixture",
        "Job",
        "NotFittedError",
        "OutputError",
        "Points",
        "Scene",
        "Snapshot",
        "SourceError",
        "Status",
        "Track",
        "Tracker",
        "TrackerError",
        "load_config",
        "make_foreground",
        "open_source",
        "run",
        "track",
    ]
    for name in tracker.__all__:
        assert getattr(tracker, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'traker'"):
        tracker.traker  # noqa: B018


def test_public_functions_and_classes_have_docstrings() -> None:
    bare = [
        f"{module}.{node.name}"
        for module, tree in modules().items()
        for node in tree.body
        if isinstance(node, (ast.ClassDef, ast.FunctionDef))
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert not bare


def test_no_error_is_swallowed() -> None:
    for module, tree in modules().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler):
                assert node.type is not None, f"{module}:{node.lineno} catches everything"
                silent = all(isinstance(line, ast.Pass) for line in node.body)
                assert not silent, f"{module}:{node.lineno} swallows an error"


# Help ---------------------------------------------------------------------------------------------


def help_of(*command: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tracker", *command, "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def names() -> list[str]:
    return [module.__name__.rpartition(".")[2] for module in COMMANDS]


def examples(text: str) -> list[str]:
    """Return the command lines that a text shows."""
    return re.findall(r"^(?:.*&& )?(tracker [a-z].*?)(?: +#.*)?$", text, re.MULTILINE)


def parses(line: str) -> bool:
    tokens = shlex.split(re.split(r" [>|&]", line)[0])[1:]
    build().parse_args(tokens, exit_on_error=False, print_error=False)
    return True


@pytest.mark.parametrize("command", names())
def test_every_help_ends_with_an_example_that_parses(command: str) -> None:
    last = help_of(command).rstrip().splitlines()[-1]
    assert last.startswith(f"Example: tracker {command}")
    assert parses(last.removeprefix("Example: "))


def test_the_main_help_lists_the_commands_and_answers_at_once() -> None:
    code = (
        "import contextlib, io, time, tracker.cli\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n"
        "    assert tracker.cli.main(['--help']) == 0\n"
        "assert time.process_time() < 0.5, time.process_time()"
    )
    assert not loaded_by(code) & {"numpy", "scipy", "cv2", "av", "msgspec"}
    text = help_of()
    assert all(command in text for command in names())
    assert text.rstrip().splitlines()[-1].startswith("Example: tracker ")


# Documents ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_show_commands_that_parse_and_files_that_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    blocks = "\n".join(
        re.findall(r"^```(?:sh|console)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    )
    for line in examples(blocks):
        assert parses(line), line
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (document.parent / target).exists(), f"{document.name} points to {target}"


def test_documents_name_every_command_and_preset() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)
    for command in names():
        assert f"tracker {command}" in text
    for preset in bundled_configs():
        assert f"`{preset}`" in text


def test_usage_documents_every_exit_code() -> None:
    text = (ROOT / "docs" / "usage.md").read_text(encoding="utf-8")
    rows = {int(code) for code in re.findall(r"^\| (\d+) \|", text, re.MULTILINE)}
    assert rows == set(Exit)


@pytest.mark.parametrize("command", ["run", "fit", "sample", "score"])
def test_usage_documents_every_option(command: str) -> None:
    text = (ROOT / "docs" / "usage.md").read_text(encoding="utf-8")
    options = set(re.findall(r"--[a-z][a-z-]+", help_of(command))) - {"--video", "--count"}
    assert options
    assert {option for option in options if f"`{option}" not in text} == set()


def documented(heading: str) -> list[str]:
    """Return the first column of the table under a heading of docs/output.md."""
    text = (ROOT / "docs" / "output.md").read_text(encoding="utf-8")
    part = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)


def test_output_documents_every_column_in_order() -> None:
    from tracker.sinks import ContactsTable, FramesTable, TracksTable

    assert documented("tracks.csv") == TracksTable.header.strip().split(",")
    assert documented("contacts.csv") == ContactsTable.header.strip().split(",")
    assert documented("frames.csv") == FramesTable.header.strip().split(",")


def test_architecture_describes_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {room_of(module) for module in modules()} - {"__init__", "__main__"}
    assert {room for room in rooms if not re.search(rf"`{room}(/|\.py|`)", text)} == set()


def test_the_python_of_the_readme_runs(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    square = np.argwhere(np.ones((12, 12))).astype(float)
    names = {"stream": [(i / 25, square + 2 * i) for i in range(10)]}
    assert blocks
    for block in blocks:
        exec(block.replace('"people.mp4"', repr(str(clip))), dict(names))
        assert capsys.readouterr().out


@pytest.mark.parametrize("module", [name for name in modules() if ">>>" in text_of(name)])
def test_the_examples_in_docstrings_say_what_happens(module: str) -> None:
    result = doctest.testmod(importlib.import_module(module))
    assert result.attempted > 0
    assert result.failed == 0


def test_the_readme_has_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install . && tracker run videos/demo.mp4 --out out" in text
    assert 'pip install ".[test]" && pytest' in text


def test_the_changelog_knows_this_version() -> None:
    assert f"## {tracker.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_equations_point_at_functions_that_exist() -> None:
    text = (ROOT / "docs" / "em.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tracker\.[\w.]+)`", text))
    assert len(named) > 20
    for name in sorted(named):
        parts = name.split(".")
        home = next(
            ".".join(parts[:end])
            for end in range(len(parts), 0, -1)
            if ".".join(parts[:end]) in modules()
        )
        found: object = importlib.import_module(home)
        for part in parts[home.count(".") + 1 :]:
            found = getattr(found, part)
        assert callable(found), name
