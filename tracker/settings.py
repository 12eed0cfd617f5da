"""Settings as text: TOML files and single `section.key=value` overrides, read and written.

What the settings are stands in `tracker.config`; nothing here knows any of them by name.
"""

from __future__ import annotations

import difflib
import json
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from tracker.config import Config
from tracker.errors import ConfigError


def load_config(source: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Return the defaults, changed by a TOML file and then by single settings.

    Parameters
    ----------
    source
        A TOML file, or the name of a bundled one such as "arena"; None: the defaults alone.
    overrides
        Settings as "section.key=value", the value written as in TOML; the quotes around a text
        may be left out.

    Raises
    ------
    ConfigError
        Where a file cannot be read, a key is unknown, or a value is of the wrong type or range.
    """
    table = {} if source is None else _read(source)
    for override in overrides:
        section, key, value = _split(override)
        group = table.setdefault(section, {})
        if isinstance(group, dict):
            group[key] = value
    return _build(table)


def bundled_configs() -> dict[str, Path]:
    """Return the files that `load_config` knows by name."""
    return {path.stem: path for path in sorted(_bundle().glob("*.toml"))}


def default_toml() -> str:
    """Return every setting with its default, a line of help, its unit and its range, as TOML."""
    lines = [
        "# Every setting, as it is when nothing else is said. A file of your own needs to hold",
        "# only what differs: tracker run SOURCE --config FILE, or --set section.key=value.",
    ]
    hints = get_type_hints(Config)
    for section in fields(Config):
        lines += ["", f"[{section.name}]"]
        kinds = get_type_hints(hints[section.name])
        defaults = hints[section.name]()
        for setting in fields(defaults):
            about = setting.metadata["help"]
            lines.append(f"# {about} ({describe(kinds[setting.name], setting)})")
            lines.append(f"{setting.name} = {_toml(getattr(defaults, setting.name))}")
    return "\n".join(lines) + "\n"


def describe(kind: Any, setting: Field[Any]) -> str:
    """Return in words what values a setting takes: "a number in px, 0 to 1"."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(json.dumps(choice) for choice in get_args(kind))
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    words = names.get(kind, "a list of lists of [x, y] pairs")
    about = setting.metadata
    if about["unit"]:
        words += f" in {about['unit']}"
    least, most = about["minimum"], about["maximum"]
    if least is not None and most is not None:
        words += f", {least:g} to {most:g}"
    elif least is not None:
        words += f", at least {least:g}"
    elif most is not None:
        words += f", at most {most:g}"
    return words


def _bundle() -> Path:
    """Folder of the shipped files: inside an installed package, beside it in a checkout."""
    package = Path(__file__).parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def _read(source: str | Path) -> dict[str, Any]:
    bundled = bundled_configs()
    path = Path(source)
    if not path.is_file():
        path = bundled.get(str(source), path)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"config {str(source)!r} cannot be read ({error.strerror}); "
            f"give a TOML file or one of {', '.join(bundled)}"
        ) from error
    except ValueError as error:  # not TOML, or not even text
        raise ConfigError(
            f"config {str(source)!r} is not valid TOML ({error}); see the bundled default.toml"
        ) from error


def _split(override: str) -> tuple[str, str, Any]:
    name, equals, text = override.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise ConfigError(
            f"setting {override!r} is not of the form section.key=value, such as tracking.objects=8"
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a bare word stands for itself
    return section, key, value


def _build(table: Mapping[str, Any]) -> Config:
    kinds = get_type_hints(Config)
    sections: dict[str, Any] = {}
    for name, group in table.items():
        if name not in kinds:
            raise ConfigError(f"there is no section [{name}]; {_nearest(name, kinds)}")
        if not isinstance(group, Mapping):
            raise ConfigError(f"{name} = {group!r} must be a section [{name}] of key = value lines")
        sections[name] = _build_section(name, kinds[name], group)
    return Config(**sections)


def _build_section(section: str, kind: type[Any], group: Mapping[str, Any]) -> Any:
    import msgspec  # needed by those alone who read settings from text

    settings = {setting.name: setting for setting in fields(kind)}
    kinds = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in group.items():
        if key not in settings:
            raise ConfigError(f"[{section}] has no key {key!r}; {_nearest(key, settings)}")
        try:
            values[key] = msgspec.convert(value, kinds[key])
            usable = _in_range(values[key], settings[key].metadata)
        except msgspec.ValidationError:
            usable = False
        if not usable:
            wanted = describe(kinds[key], settings[key])
            raise ConfigError(f"{section}.{key} = {value!r} must be {wanted}")
    return kind(**values)


def _in_range(value: object, about: Mapping[str, Any]) -> bool:
    if not isinstance(value, (int, float)):
        return True
    least = -math.inf if about["minimum"] is None else about["minimum"]
    most = math.inf if about["maximum"] is None else about["maximum"]
    return math.isfinite(value) and least <= value <= most


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"it must be one of {', '.join(names)}"


def _toml(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)
