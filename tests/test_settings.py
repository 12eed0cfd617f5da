"""Settings: one truth, strict reading, errors that teach."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from tracker.config import Config
from tracker.errors import ConfigError
from tracker.settings import bundled_configs, default_toml, load_config

CONFIGS = Path(__file__).parent.parent / "configs"
PRESETS = sorted(path.stem for path in CONFIGS.glob("*.toml") if path.stem != "default")


def flat(config: Config) -> dict[str, Any]:
    return {
        f"{section.name}.{setting.name}": getattr(getattr(config, section.name), setting.name)
        for section in fields(config)
        for setting in fields(getattr(config, section.name))
    }


def test_default_toml_is_the_truth_written_out() -> None:
    shipped = (CONFIGS / "default.toml").read_text(encoding="utf-8")
    assert shipped == default_toml(), "refresh it: tracker settings > configs/default.toml"


def test_the_shipped_defaults_are_the_defaults() -> None:
    assert load_config(CONFIGS / "default.toml") == Config() == load_config()


def test_the_promised_presets_are_shipped() -> None:
    assert {"webcam", "pedestrians", "traffic", "arena"} <= set(PRESETS)
    assert set(bundled_configs()) == {"default", *PRESETS}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_holds_only_differences(name: str) -> None:
    table = tomllib.loads((CONFIGS / f"{name}.toml").read_text(encoding="utf-8"))
    named = {f"{section}.{key}" for section, group in table.items() for key in group}
    changed, default = flat(load_config(name)), flat(Config())
    assert named == {key for key in default if changed[key] != default[key]}


def test_every_setting_has_a_line_of_help_and_a_default_in_its_range() -> None:
    for section, kind in get_type_hints(Config).items():
        for setting in fields(kind):
            name = f"{section}.{setting.name}"
            about = setting.metadata["help"]
            assert about, name
            assert "\n" not in about, name
            assert about[-1] != ".", name
    assert load_config(None, [f"{key}={literal}" for key, literal in literals()]) == Config()


def literals() -> list[tuple[str, str]]:
    """Every setting and its default as the shipped file writes it."""
    pairs, section = [], ""
    for line in default_toml().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, literal = line.partition(" = ")
            pairs.append((f"{section}.{key}", literal))
    return pairs


def test_overrides_come_after_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[tracking]\nobjects = 3\n[overlay]\ntint = true\n")
    config = load_config(file, ["tracking.objects=8", "foreground.model=knn", "source.fps=25"])
    assert config.tracking.objects == 8
    assert config.overlay.tint
    assert config.foreground.model == "knn"
    assert config.source.fps == 25.0


def test_a_file_goes_before_a_bundled_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "arena").write_text("[tracking]\nobjects = 5\n")
    monkeypatch.chdir(tmp_path)
    assert load_config("arena").tracking.objects == 5


def test_polygons_arrive_as_tuples() -> None:
    config = load_config(None, ["foreground.include=[[[0, 0], [9, 0], [9, 9]]]"])
    assert config.foreground.include == (((0.0, 0.0), (9.0, 0.0), (9.0, 9.0)),)
    assert hash(config) is not None


@pytest.mark.parametrize(
    ("override", "parts"),
    [
        ("trackin.objects=3", ["[trackin]", "'tracking'"]),
        ("tracking.object=3", ["[tracking]", "'object'", "'objects'"]),
        ("tracking.objects=-1", ["tracking.objects", "-1", "at least 0"]),
        ("tracking.objects=2.5", ["tracking.objects", "2.5", "a whole number"]),
        ("tracking.objects=true", ["tracking.objects", "True", "a whole number"]),
        ("tracking.objects=many", ["tracking.objects", "'many'", "a whole number"]),
        ("foreground.model=mog3", ["foreground.model", "'mog3'", '"mog2"']),
        ("foreground.scale=nan", ["foreground.scale", "nan", "0 to 1"]),
        ("foreground.scale=2", ["foreground.scale", "2", "0 to 1"]),
        ("foreground.shadows=1", ["foreground.shadows", "1", "true or false"]),
        ("source.fps=inf", ["source.fps", "inf", "1/s"]),
        ("foreground.include=[[1, 2]]", ["foreground.include", "[x, y]"]),
        ("objects=3", ["'objects=3'", "section.key=value"]),
        ("tracking.objects", ["'tracking.objects'", "section.key=value"]),
    ],
)
def test_an_error_names_key_value_and_what_is_wanted(override: str, parts: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        load_config(None, [override])
    message = str(error.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"tracking = 3", "must be a section"),
        (b"[tracking\n", "not valid TOML"),
        (b"\xff\xfe\x00", "not valid TOML"),
        (b"[tracking.objects]\nx = 1", "a whole number"),
    ],
)
def test_a_file_that_is_no_config_says_so(tmp_path: Path, content: bytes, part: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=part):
        load_config(file)


def test_a_missing_file_names_the_bundled_ones() -> None:
    with pytest.raises(ConfigError, match=r"'nowhere.toml'.*arena, default, pedestrians"):
        load_config("nowhere.toml")
