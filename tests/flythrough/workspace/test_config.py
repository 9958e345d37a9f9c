"""Settings: typed, explained, and refused with the file, the key and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from pydantic import Field

from flythrough.errors import ConfigError
from flythrough.workspace import config as config_module
from flythrough.workspace.config import TEMPLATE, describe, load_config
from flythrough.workspace.stage import STAGES, Outcome, Section, Stage


class Inner(Section):
    speed_m_per_s: float = Field(2.5, gt=0, description="How fast.")
    detector: Literal["cheap", "dear"] = Field("cheap", description="Which one.")


class Outer(Section):
    inner: Inner = Field(Inner(), description="Inner things.")
    names: tuple[str, ...] = Field((), description="Names.")
    limit: int | None = Field(None, description="How many.")
    legs: tuple[Inner, ...] = Field((), description="A list of sections.")


@pytest.fixture(autouse=True)
def _toy_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        config_module,
        "load_stage",
        lambda name: Stage(name, 1, None, Outer, lambda w, c: [], lambda job, config: Outcome()),
    )


def write(folder: Path, text: str) -> Path:
    file = folder / "flythrough.toml"
    file.write_text(text)
    return file


def test_file_then_settings(tmp_path: Path) -> None:
    file = write(tmp_path, "[train.inner]\nspeed_m_per_s = 3\n[sfm]\nlimit = 7\n")
    config = load_config(file, ["train.inner.detector=dear", "train.names=['a b']"])
    train, sfm = config["train"], config["sfm"]
    assert isinstance(train, Outer)
    assert isinstance(sfm, Outer)
    assert (train.inner.speed_m_per_s, train.inner.detector, train.names, sfm.limit) == (3.0, "dear", ("a b",), 7)
    assert config["curate"] == Outer()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "[train]\nlimti = 3\n",
            r"flythrough\.toml: unknown key train\.limti\. Did you mean limit\? .*: inner, names, limit, legs",
        ),
        ("[train.inner]\nsped = 3\n", r"unknown key train\.inner\.sped.*speed_m_per_s, detector"),
        ("[trian]\nlimit = 3\n", r"no section 'trian'.*acquire, curate"),
        ("[train]\nlimit = 'x'\n", r"flythrough\.toml: train\.limit = 'x' is refused.*integer"),
        ("[train.inner]\ndetector = 'best'\n", r"train\.inner\.detector = 'best' is refused.*'cheap' or 'dear'"),
        ("[train.inner]\nspeed_m_per_s = -1\n", r"greater than 0"),
        ("[train\n", r"is not TOML"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(write(tmp_path, text))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.limit", r"--set train\.limit: not section\.key=value"),
        ("limit=3", r"--set limit=3: not section\.key=value"),
        ("train.inner.x.y=1", r"train\.inner\.x"),
        ("nowhere.limit=3", "--set nowhere.limit=3: there is no section 'nowhere'"),
    ],
)
def test_wrong_settings_are_named(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(None, [setting])


def test_the_printed_config_explains_itself_and_reads_back(tmp_path: Path) -> None:
    names = 'train.names=["q\\"uote", "\U0001f681\u00e9", "a\\tb"]'
    config = load_config(None, ["sfm.inner.speed_m_per_s=9.25", names])
    text = describe(config)
    assert "# How fast." in text
    assert "# Which one. (one of: cheap, dear)" in text
    assert load_config(write(tmp_path, text)) == config
    assert set(config) == set(STAGES)
    legs = load_config(write(tmp_path, "[[sfm.legs]]\nspeed_m_per_s = 1\n[[sfm.legs]]\ndetector = 'dear'\n"))
    assert load_config(write(tmp_path, describe(legs))) == legs


def test_a_new_workspaces_file_changes_nothing(tmp_path: Path) -> None:
    assert load_config(write(tmp_path, TEMPLATE)) == load_config(None)
