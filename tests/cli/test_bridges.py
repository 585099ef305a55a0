"""`diarize import` and `diarize export`, as a shell calls them; also as the README does."""

import re
import shlex
import sys
from pathlib import Path

import pytest
import soundfile

from diarize.cli import main
from diarize.formats.manifest import read_manifest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "corpora"))
from listed import RATE_HZ, listed, make_listed, sound  # noqa: E402

sys.path.remove(str(ROOT / "tests" / "corpora"))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder to be in, with `mine`, which lists three recordings."""
    monkeypatch.chdir(tmp_path)
    make_listed(tmp_path / "mine")
    return tmp_path


@pytest.fixture
def call(place, capsys):
    """A function: run a command line; its exit code, standard output and standard error."""

    def run(line):
        code = main(shlex.split(line))
        return code, *capsys.readouterr()

    return run


def test_the_result_of_a_call_is_the_files_it_wrote(call):
    code, out, err = call("export lhotse mine/manifest.jsonl theirs")
    assert (code, out.split()) == (
        0,
        [f"theirs/{kind}.jsonl.gz" for kind in ("recordings", "supervisions", "cuts")],
    )
    assert err == "diarize export: 3 recordings, 7 turns, in theirs\n"
    code, out, err = call("import lhotse --cuts theirs/cuts.jsonl.gz back")
    assert (code, out) == (0, "back/manifest.jsonl\n")
    assert err == "diarize import: 3 recordings, 0.00 h, in back\n"
    assert listed(Path("back")) == listed(Path("mine"))


def test_what_is_wrong_is_one_line(call):
    for line, code, told in (
        ("import lhotse out", 2, "give either cuts, or recordings"),
        ("import lhotse --recordings r --channel left out", 2, "channel 'left'"),
        ("import lhotse --recordings none.jsonl out", 1, "none.jsonl: cannot be read"),
        ("import pyannote none.yml A.B.C out", 1, "none.yml: no such file"),
        ("import pyannote none.yml A.B.C out --subset dev", 2, "no subset 'dev'"),
        ("export lhotse none.jsonl out", 1, "none.jsonl"),
        ("export pyannote mine/manifest.jsonl out --name a.b", 2, "letters, digits"),
    ):
        found, out, err = call(line)
        assert (found, out) == (code, ""), line
        assert told in err
        assert err.count("\n") == 1


def test_a_channel_is_chosen_by_its_number(call, place):
    soundfile.write("two.wav", sound(RATE_HZ, n_channels=2), RATE_HZ)
    Path("r.jsonl").write_text(
        '{"id": "two", "sources": [{"type": "file", "channels": [0, 1], "source": "two.wav"}], '
        '"sampling_rate": 16000, "num_samples": 16000, "duration": 1.0}\n'
    )
    code, _, err = call("import lhotse --recordings r.jsonl out")
    assert code == 1
    assert "several channels: two (channels 0, 1); --channel N, or --channel mix, says which" in err
    assert call("import lhotse --recordings r.jsonl --channel 1 out")[0] == 0
    (entry,) = read_manifest("out/manifest.jsonl")
    assert entry.audio == Path("out/audio/two.1.wav")


def readme_commands():
    """The command lines of the section, in its order, one a line."""
    text = (ROOT / "README.md").read_text()
    section = text.split("## Bring the data you have\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```\n(.*?)```", section, flags=re.DOTALL)
    lines = "".join(blocks).splitlines()
    return [re.split(r"  +", line)[0] for line in lines if line.startswith("diarize ")]


def test_the_commands_in_the_readme_do_what_it_says(call, place, loaded):
    pytest.importorskip("pyannote.database", reason="pyannote.database is not installed")
    commands = readme_commands()
    assert {shlex.split(line)[1] for line in commands} >= {"import", "export", "infer", "features"}
    assert {shlex.split(line)[2] for line in commands} >= {"lhotse", "pyannote"}
    for line in commands:
        code, out, err = call(line.removeprefix("diarize "))
        assert code == 0, f"{line}: {err}"
        assert "score" in line or out or "infer" in line, line
    assert {path.name for path in Path("out").iterdir()} == {"a.rttm", "b.rttm", "call_ü.rttm"}
