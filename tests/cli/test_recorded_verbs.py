"""`diarize fetch` and `diarize prepare` of corpora of real recordings."""

import numpy as np
import pytest
import soundfile

from diarize.cli import main
from diarize.formats.manifest import read_manifest

RTTM = "SPEAKER {0} 1 0.5 1.0 <NA> <NA> ann <NA> <NA>\n"


@pytest.fixture
def ami(tmp_path):
    """One meeting of each part in AMI's layout, and its references in BUT's."""
    for part, meeting in (("train", "ES2002a"), ("dev", "ES2011a"), ("test", "ES2004a")):
        audio = tmp_path / "amicorpus" / meeting / "audio"
        audio.mkdir(parents=True)
        noise = 0.1 * np.random.default_rng(0).normal(size=32_000)
        soundfile.write(audio / f"{meeting}.Mix-Headset.wav", noise, 16_000)
        place = tmp_path / "setup" / "only_words" / "rttms" / part
        place.mkdir(parents=True)
        (place / f"{meeting}.rttm").write_text(RTTM.format(meeting))
    return tmp_path


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "few.toml").write_text("[data]\nmeetings = ['ES2004a']\n")
    return str(tmp_path / "few.toml")


def places(ami):
    return ["--corpus", str(ami / "amicorpus"), "--references", str(ami / "setup")]


def test_a_corpus_is_checked_and_listed(ami, conf, tmp_path, capsys):
    data = str(tmp_path / "data")
    assert main(["prepare", "ami", "--data", data, "--conf", conf, *places(ami)]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{data}/manifest.jsonl\n"
    assert "ES2004a: no UEM" in shown.err
    assert f"diarize prepare: ami, 1 recording, 0.00 h, in {data}\n" in shown.err
    assert read_manifest(f"{data}/manifest.jsonl")[0].audio.is_file()


def test_fetching_finds_a_corpus_that_is_there(ami, conf, tmp_path, capsys):
    data = str(tmp_path / "data")
    assert main(["fetch", "ami", "--data", data, "--conf", conf, *places(ami)]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{ami}/amicorpus\n"
    assert "nothing to do, already there: 1 meeting in" in shown.err


def test_what_is_missing_is_one_line_with_every_id(ami, tmp_path, capsys):
    call = ["prepare", "ami", "--data", str(tmp_path / "data"), *places(ami)]
    assert main(call) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "15 of 16 recordings cannot be used" in shown.err
    assert "EN2002a, EN2002b" in shown.err
    assert main([*call, "--parts", "dev"]) == 1
    assert "17 of 18 recordings" in capsys.readouterr().err


def test_one_part_may_have_a_folder_of_its_own(ami, tmp_path, capsys):
    text = "[data]\nleave_out = [{}]\n"
    from diarize.corpora.ami_meetings import meetings_of

    others = [one for one in meetings_of("but", ["train"]) if one != "ES2002a"]
    conf = tmp_path / "a.toml"
    conf.write_text(text.format(", ".join(map(repr, others))))
    data = tmp_path / "data"
    call = ["prepare", "ami", "--data", str(data), "--conf", str(conf), *places(ami)]
    assert main([*call, "--only", "train"]) == 0
    assert capsys.readouterr().out == f"{data}/train/manifest.jsonl\n"
    assert [one.recording for one in read_manifest(data / "train" / "manifest.jsonl")] == [
        "ES2002a"
    ]


def test_parts_may_be_fetched_besides_those_of_the_conf(ami, conf, tmp_path, capsys):
    call = ["fetch", "ami", "--data", str(tmp_path / "data"), *places(ami), "--also", "dev"]
    assert main(call) == 1
    told = capsys.readouterr().err
    assert "32 of 34 recordings" in told  # 16 test, 18 dev
    assert "ES2011b" in told
    assert "ES2011a" not in told
    assert main([*call[:-1], "eval"]) == 1
    assert "parts[0] = 'eval'" in capsys.readouterr().err


def test_a_folder_of_one_s_own_is_prepared(tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    soundfile.write(mine / "call.wav", 0.1 * np.ones(32_000), 16_000)
    (mine / "call.rttm").write_text(RTTM.format("call"))
    data = str(tmp_path / "data")
    assert main(["fetch", "folder", "--data", data, "--corpus", str(mine)]) == 0
    assert main(["prepare", "folder", "--data", data, "--corpus", str(mine)]) == 0
    assert "folder, 1 recording," in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told", "code"),
    [
        (["prepare", "digits", "--corpus", "x"], "--corpus is for ami, voxconverse, callhome,", 2),
        (["prepare", "ami", "--uem", "x"], "--uem is for callhome, folder; ami takes none", 2),
        (["prepare", "folder", "--only", "x"], "--only is for ami, voxconverse; folder takes", 2),
        (["prepare", "ami", "--part", "1/2"], "ami is prepared as a whole", 2),
        (["prepare", "ami", "--parts", "eval"], "parts[0] = 'eval'", 1),
        (["prepare", "voxconverse", "--only", "train"], "parts[0] = 'train'", 1),
        (["prepare", "callhome"], "corpus: no conversations; put", 1),
        (["fetch", "callhome"], "LDC97S42", 1),
        (["fetch", "folder", "--corpus", "gone"], "gone: no recordings; put sound files there", 1),
        (
            ["fetch", "ami", "--speech", "x"],
            "--speech is for simulated, two_speakers; ami takes",
            2,
        ),
        (["fetch", "mini", "--references", "x"], "--references is for ami, voxconverse,", 2),
        (["fetch", "folder", "--also", "x"], "--also is for ami, voxconverse; folder takes", 2),
        (["fetch", "ami", "--offline"], "--offline was asked for", 1),
    ],
)
def test_a_call_that_cannot_be_meant_is_one_line(words, told, code, tmp_path, capsys):
    assert main([*words, "--data", str(tmp_path / "data")]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert told in shown.err
    assert shown.err.count("\n") == 1


def test_a_setting_that_is_none_is_told_with_the_nearest(tmp_path, capsys):
    (tmp_path / "a.toml").write_text("[data]\nmicrofone = 'array1_01'\n")
    call = ["prepare", "ami", "--data", str(tmp_path), "--conf", str(tmp_path / "a.toml")]
    assert main(call) == 1
    assert "did you mean 'microphone'?" in capsys.readouterr().err


def test_a_download_tells_a_line_a_file(capsys):
    from diarize.cli.download_bar import download_bar

    with download_bar() as told:
        told("a.wav", 0, 2_500_000)
        told("a.wav", 1000, 2_500_000)
        told("b.wav", 500_000, None)
    assert capsys.readouterr().err == (
        "diarize fetch: a.wav, 2.5 MB\ndiarize fetch: b.wav, on from 0.5 MB\n"
    )


def test_a_download_is_a_bar_on_a_terminal(capsys, monkeypatch):
    import sys

    from diarize.cli.download_bar import download_bar

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with download_bar() as told:
        told("a.wav", 0, 100)
        told("a.wav", 100, 100)
    assert capsys.readouterr().out == ""
