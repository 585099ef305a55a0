"""Settings: merged as written, checked against the dataclass, refused with the remedy."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from diarize.config import build, load, read_toml, until
from diarize.errors import BadCall, BadFile


@dataclass(frozen=True)
class Inner:
    n_layers: int = 2


@dataclass(frozen=True)
class Settings:
    onset: float = 0.5
    n_speakers: int | None = None
    vad: Literal["webrtc", "silero"] = "silero"
    exclusive: bool = False
    name: str = "plain"
    range_s: tuple[float, float] = (0.0, 1.0)
    kernels: tuple[int, ...] = ()
    weights: Path | None = None
    gain_db: dict[str, float] = field(default_factory=dict)
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self):
        if self.onset > 1:
            raise ValueError(f"onset = {self.onset}; at most 1 would be right")


@dataclass(frozen=True)
class Required:
    steps: int


def write(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def refused(settings, cls=Settings):
    with pytest.raises(BadFile) as caught:
        build(cls, settings, "a.toml [infer]")
    return str(caught.value)


def test_what_a_file_leaves_out_keeps_its_default():
    assert build(Settings, {}, "") == Settings()


def test_every_kind_of_value_becomes_what_the_field_asks_for():
    made = build(
        Settings,
        {
            "onset": 1,
            "n_speakers": 3,
            "vad": "webrtc",
            "exclusive": True,
            "name": "other",
            "range_s": [1, 2.5],
            "kernels": [3, 5, 7],
            "weights": "some/where.pt",
            "gain_db": {"loud": 6},
            "inner": {"n_layers": 4},
        },
        "",
    )
    assert made == Settings(
        onset=1.0,
        n_speakers=3,
        vad="webrtc",
        exclusive=True,
        name="other",
        range_s=(1.0, 2.5),
        kernels=(3, 5, 7),
        weights=Path("some/where.pt"),
        gain_db={"loud": 6.0},
        inner=Inner(4),
    )
    assert type(made.onset) is float


def test_a_misspelt_key_is_refused_with_the_nearest_one():
    assert refused({"onnset": 1}) == "a.toml [infer]: no setting 'onnset'; did you mean 'onset'?"


def test_a_key_like_no_other_is_refused_with_all_there_are():
    assert refused({"x": 1}, Required) == "a.toml [infer]: no setting 'x'; there are steps"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"onset": "high"}, "onset = 'high' is a string, a number is wanted"),
        ({"onset": True}, "onset = True is true or false, a number is wanted"),
        ({"n_speakers": 2.5}, "n_speakers = 2.5 is a number, a whole number is wanted"),
        ({"n_speakers": False}, "n_speakers = False is true or false, a whole number is wanted"),
        ({"exclusive": 1}, "exclusive = 1 is a whole number, true or false is wanted"),
        ({"vad": "sliero"}, "vad = 'sliero' is a string, one of 'webrtc', 'silero' is wanted"),
        ({"range_s": [1, 2, 3]}, "range_s = [1, 2, 3] has 3 parts, 2 are wanted"),
        ({"range_s": 1.0}, "range_s = 1.0 is a number, an array is wanted"),
        ({"kernels": [1, "b"]}, "kernels[1] = 'b' is a string, a whole number is wanted"),
        ({"gain_db": {"loud": "x"}}, "gain_db.loud = 'x' is a string, a number is wanted"),
        ({"inner": 3}, "inner = 3 is a whole number, a table is wanted"),
        ({"inner": {"n_layer": 3}}, "inner: no setting 'n_layer'; did you mean 'n_layers'?"),
        ({"weights": 3}, "weights = 3 is a whole number, a path in quotes is wanted"),
        ({"onset": 2.0}, "onset = 2.0; at most 1 would be right"),
    ],
)
def test_a_wrong_value_is_refused_with_what_was_found_and_what_is_wanted(settings, message):
    assert refused(settings) == f"a.toml [infer]: {message}"


def test_a_field_without_default_must_be_set():
    assert refused({}, Required) == "a.toml [infer]: steps is not set and has no default"


def test_a_file_is_laid_over_the_one_it_extends_table_by_table(tmp_path):
    write(tmp_path, "base.toml", "[infer]\nonset = 0.4\nname = 'base'\n[score]\ncollar_s = 0\n")
    top = write(tmp_path, "top.toml", "extends = 'base.toml'\n[infer]\nonset = 0.6\n")
    assert read_toml(top) == {"infer": {"onset": 0.6, "name": "base"}, "score": {"collar_s": 0}}
    assert load(Settings, top, "infer") == Settings(onset=0.6, name="base")
    assert load(Settings, top, "train") == Settings()


def test_a_parent_is_looked_for_beside_the_file_that_names_it(tmp_path):
    (tmp_path / "deep").mkdir()
    write(tmp_path, "base.toml", "[infer]\nonset = 0.4\n")
    write(tmp_path / "deep", "middle.toml", "extends = '../base.toml'\n")
    top = write(tmp_path, "top.toml", "extends = 'deep/middle.toml'\n")
    assert read_toml(top) == {"infer": {"onset": 0.4}}


def test_a_file_that_extends_itself_in_the_end_is_refused(tmp_path):
    first = write(tmp_path, "one.toml", "extends = 'two.toml'\n")
    write(tmp_path, "two.toml", "extends = 'one.toml'\n")
    with pytest.raises(BadFile, match=r"one\.toml extends two\.toml extends one\.toml"):
        read_toml(first)


def test_a_missing_parent_is_named_with_the_file_that_wants_it(tmp_path):
    top = write(tmp_path, "top.toml", "extends = 'gone.toml'\n")
    with pytest.raises(BadFile, match=r"gone\.toml: no such conf file, which .*top\.toml extends"):
        read_toml(top)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[infer\n", r"not a TOML file: .*line 1"),
        ("onset = 1\n", r"no table \[onset\]; there are data, features"),
        ("[infre]\n", r"no table \[infre\]; did you mean 'infer'\?"),
        ("infer = 3\n", r"infer = 3; a table \[infer\] would be right"),
        ("extends = 3\n", r"extends = 3; a file name in quotes would be right"),
    ],
)
def test_a_file_that_is_no_conf_is_refused(tmp_path, text, message):
    path = write(tmp_path, "a.toml", text)
    with pytest.raises(BadFile, match=message) as caught:
        read_toml(path)
    assert "\n" not in str(caught.value)


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadFile, match="not a TOML file"):
        read_toml(tmp_path / "a.toml")


def test_a_folder_is_no_conf_file(tmp_path):
    with pytest.raises(BadFile, match="cannot be read"):
        read_toml(tmp_path)


def test_a_stage_hangs_on_the_tables_up_to_its_own():
    settings = {name: {"x": 1} for name in ("score", "infer", "train", "model", "features", "data")}
    assert list(until(settings, "prepare")) == ["data"]
    assert list(until(settings, "train")) == ["data", "features", "model", "train"]
    assert list(until(settings, "report")) == list(reversed(settings))


def test_an_empty_table_changes_nothing():
    assert until({"data": {}, "infer": {"onset": 1}}, "infer") == until(
        {"infer": {"onset": 1}}, "infer"
    )


def test_a_stage_that_is_none_is_refused():
    with pytest.raises(BadCall, match=r"no stage 'infre'; did you mean 'infer'\?"):
        until({}, "infre")
