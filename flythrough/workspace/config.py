"""Settings: one TOML file, a typed section per stage, and ``--set section.key=value`` on top."""

from __future__ import annotations

import difflib
import json
import tomllib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from ..errors import ConfigError
from .files import JsonObject, disk_errors
from .stage import STAGES, Section, load_stage

if TYPE_CHECKING:
    from tomlkit.items import AoT, Table

# A new workspace's flythrough.toml: empty sections, so that defaults hold, and where to look up the keys.
TEMPLATE = """\
# Settings of this workspace. `flythrough config -w WORKSPACE` prints every key with its help and its value;
# logs/config.toml has those of the last run.
""" + "".join(f"\n[{stage}]\n" for stage in STAGES)


def load_config(file: Path | None = None, settings: Iterable[str] = ()) -> dict[str, Section]:
    """The effective config: defaults, then the file, then ``section.key=value`` settings.

    Returns:
        A frozen section for every stage, by stage name.

    Raises:
        ConfigError: an unknown key, a wrong type or an impossible value; the message names the file and the key, the
            remedy what is allowed.
    """
    values = _read(file) if file is not None and file.exists() else {}
    origins = {_key(path): str(file) for path in _leaves(values)}
    for setting in settings:
        path, value = _parse_setting(setting)
        _insert(values, path, value, setting)
        origins[_key(path)] = f"--set {setting}"
    if unknown := sorted(set(values) - set(STAGES)):
        named = (where for key, where in origins.items() if key.split(".")[0] == unknown[0])
        origin = next(named, file)  # an empty section has no key
        raise ConfigError(
            f"{origin}: there is no section {unknown[0]!r}",
            remedy=f"Sections are: {', '.join(STAGES)}",
        )
    return {name: _section(name, values.get(name, {}), origins, str(file)) for name in STAGES}


def setting_of(key: str, value: object) -> str:
    """``section.key=value`` as ``--set`` takes it. JSON is TOML, except characters escaped as surrogate pairs."""
    return f"{key}={json.dumps(value, ensure_ascii=False)}".replace("\x7f", r"\u007f")


def describe(config: Mapping[str, Section]) -> str:
    """The effective config as TOML, with each field's help above it; reading it back gives the same config."""
    import tomlkit

    document = tomlkit.document()
    for name, section in config.items():
        document.add(name, _table(section))
    return tomlkit.dumps(document).strip() + "\n"


def _section(name: str, values: object, origins: Mapping[str, str], file: str) -> Section:
    model = load_stage(name).config
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        path = [name, *(str(part) for part in first["loc"])]
        key = ".".join(path)
        found = (o for k, o in origins.items() if f"{k}.".startswith(f"{key}.") or key.startswith(f"{k}."))
        origin = next(found, file)  # of the key itself, of one below it, or of the list that it is in
        if first["type"] == "extra_forbidden":
            fields = _fields_at(model, path[1:-1])
            near = "".join(f"Did you mean {near}? " for near in difflib.get_close_matches(path[-1], fields, n=1))
            raise ConfigError(
                f"{origin}: unknown key {key}", remedy=f"{near}Keys of [{'.'.join(path[:-1])}] are: {', '.join(fields)}"
            ) from None
        raise ConfigError(
            f"{origin}: {key} = {first.get('input')!r} is refused", remedy=first["msg"].removeprefix("Value error, ")
        ) from None


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        field = model.model_fields.get(part)
        if field is None:
            continue  # an index of a list
        model = next(_models(field.annotation), model)
    return list(model.model_fields)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models(argument)


def _read(file: Path) -> JsonObject:
    try:
        with disk_errors(file):
            return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a number of 5,000 digits, 1,000 brackets
        raise ConfigError(f"{file} is not TOML: {error}", remedy="Fix the line it names") from error


def _parse_setting(setting: str) -> tuple[list[str], object]:
    key, equals, text = setting.partition("=")
    if not equals or "." not in key:
        raise ConfigError(f"--set {setting}: not section.key=value", remedy="For example: --set train.steps=1000")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # as in _read
        value = text  # a bare word is a string
    return key.strip().split("."), value


def _insert(values: JsonObject, path: list[str], value: object, setting: str) -> None:
    for part in path[:-1]:
        values = values.setdefault(part, {})
        if not isinstance(values, dict):
            raise ConfigError(f"--set {setting}: {part} is not a section", remedy="See: flythrough config")
    values[path[-1]] = value


def _leaves(values: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path


def _key(path: Iterable[str]) -> str:
    return ".".join(path)


def _table(section: BaseModel) -> Table:
    """A section as TOML: its own settings with their help above them, then the sections inside it."""
    import tomlkit

    table = tomlkit.table()
    inner: dict[str, Table | AoT] = {}
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if isinstance(value, BaseModel):
            inner[key] = _table(value)
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], BaseModel):
            inner[key] = tomlkit.items.AoT([_table(each) for each in value])
        else:
            allowed = _allowed(field.annotation)
            note = f" ({allowed})" if allowed else ""
            table.add(tomlkit.comment(f"{' '.join((field.description or '').split())}{note}"))
            if value is None:
                table.add(tomlkit.comment(f"{key} is not set"))
            else:
                table.add(key, _plain(value))
    for key, item in inner.items():
        table.add(tomlkit.nl())
        table.add(key, item)
    return table


def _allowed(annotation: object) -> str:
    if typing.get_origin(annotation) is typing.Literal:
        return "one of: " + ", ".join(str(value) for value in typing.get_args(annotation))
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return "; ".join(filter(None, map(_allowed, typing.get_args(annotation))))
    return ""


def _plain(value: object) -> object:
    """A setting as a TOML value: paths and the like as text."""
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return value if isinstance(value, (bool, int, float)) else str(value)
