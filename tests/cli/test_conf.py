"""`diarize conf`: what a conf file comes to."""

import json

import pytest

from diarize.cli import main


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "base.toml").write_text("[score]\ncollar_s = 0\n[infer]\nname = 'é'\n")
    (tmp_path / "a.toml").write_text("extends = 'base.toml'\n[infer]\nonset = 0.6\n")
    return tmp_path / "a.toml"


def test_the_merged_settings_are_printed_with_their_keys_sorted(conf, capsys):
    assert main(["conf", str(conf)]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"infer": {"name": "é", "onset": 0.6}, "score": {"collar_s": 0}}
    assert printed.index("infer") < printed.index("score")


def test_until_leaves_out_what_comes_later(conf, capsys):
    assert main(["conf", str(conf), "--until", "infer"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == ["infer"]


def test_the_order_in_the_file_does_not_change_the_bytes(tmp_path, capsys):
    printed = []
    for name, text in (("a", "[infer]\nx = 1\ny = 2\n[data]\n"), ("b", "[infer]\ny=2\nx=1\n")):
        (tmp_path / name).write_text(text)
        main(["conf", str(tmp_path / name), "--until", "infer"])
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]


def test_a_file_that_is_not_there_is_one_line_and_exit_code_1(tmp_path, capsys):
    assert main(["conf", str(tmp_path / "none.toml")]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == f"diarize conf: {tmp_path / 'none.toml'}: no such conf file\n"


def test_a_stage_that_is_none_is_exit_code_2(conf, capsys):
    with pytest.raises(SystemExit) as left:
        main(["conf", str(conf), "--until", "infre"])
    assert left.value.code == 2
    assert "invalid choice: 'infre'" in capsys.readouterr().err


def test_one_setting_alone_is_words_for_a_shell(tmp_path, capsys):
    (tmp_path / "a.toml").write_text("[data]\nsources = ['drums', 'bass']\nwindow_s = 7.0\n")
    for name, shown in (("data.sources", "drums bass"), ("data.window_s", "7.0"), ("train.a", "")):
        assert main(["conf", str(tmp_path / "a.toml"), "--get", name]) == 0
        assert capsys.readouterr().out == f"{shown}\n"
    assert main(["conf", str(tmp_path / "a.toml"), "--get", "data"]) == 2
    assert "it is a table, with sources, window_s" in capsys.readouterr().err
