"""Every eg, walked with a stub Python: each call it makes is one the real parser takes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from diarize import cli, jobs
from diarize.config import read_toml

ROOT = Path(__file__).parent.parent.parent
EGS = sorted(path.parent for path in (ROOT / "egs").glob("*/run.sh"))


def default_of(eg):
    """The conf that an eg's run.sh names."""
    return eg / re.search(r"^conf=(\S+)", (eg / "run.sh").read_text(), re.M)[1]


def stages(eg, indent=" *"):
    """The stages of an eg, in the order of its run.sh: number, name, script."""
    text = (eg / "run.sh").read_text()
    family = re.search(r"^family=(\S+)", text, re.M)[1]
    found = []
    for number, name in re.findall(rf"^{indent}stage ([0-6]) (\w+)", text, re.M):
        own = ROOT / "recipes" / family / f"{number}_{name}.sh"
        found.append((number, name, own if own.exists() else ROOT / "recipes" / own.name))
    return found


named = pytest.mark.parametrize("eg", EGS, ids=lambda path: path.name)


WAYS = {  # to start jobs
    "one job": ["--nj", "1"],
    "two jobs": ["--nj", "2"],
    "a cluster": ["--nj", "3", "--launcher", "dask", "--address", "tcp://127.0.0.1:8786"],
}
WALKS = [
    pytest.param(eg, conf, words, id=f"{eg.name}, {conf.stem}, {way}")
    for eg in EGS
    for conf in sorted(eg.glob("conf/*.toml"))
    for way, words in WAYS.items()
    if way == "one job" or conf == default_of(eg)
]


def commands(words):
    """The command lines of diarize in one noted call: itself, or the one that jobs would run."""
    if words[:2] == ["-m", "diarize.jobs"]:
        arguments = jobs.parser().parse_args(words[2:])
        assert arguments.launcher in jobs.LAUNCHERS
        shard = arguments.split and [arguments.split] * arguments.nj
        batch = jobs.Batch(arguments.command[1:], arguments.nj, arguments.log, shard or ())
        assert arguments.command[0] == "--"
        inner = batch.words(arguments.nj)
        assert not any("{" in word for word in inner)
        if inner[0] == "bash":  # a stage script that shares out its own work
            assert Path(inner[1]).is_file()
            return []
        return commands(inner[1:])
    return [words[2:]] if words[:2] == ["-m", "diarize"] else []


@pytest.mark.parametrize(("eg", "conf", "words"), WALKS)
def test_every_call_of_an_eg_is_one_the_command_line_takes(eg, conf, words, stub, tmp_path):
    python, notes = stub
    data = tmp_path / "the data"
    data.mkdir()
    for folder in (data, *(data / conf.stem for conf in eg.glob("conf/data/*.toml"))):
        folder.mkdir(exist_ok=True)
        (folder / "manifest.jsonl").write_text('{"recording": "a"}\n{"recording": "b"}\n')
    exp = tmp_path / "an exp"
    (exp / "ours").mkdir(parents=True)
    (exp / "ours" / "timing.json").touch()  # what a measured system leaves in egs/peers
    train = {"TRAIN": "yes"} if "2" in words else {}  # some egs train only when told to
    done = subprocess.run(
        ["bash", eg / "run.sh", "--data", data, "--exp", exp, "--conf", conf, *words],
        env=os.environ
        | {"DIARIZE_PYTHON": str(python), "PEERS_ENV": str(tmp_path / "an env")}
        | train,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for number, name, _ in stages(eg, " *" if train else ""):
        assert (exp / "log" / f"{number}_{name}.log").read_text().count("# exit 0 after") == 1
    calls = [json.loads(line) for line in notes.read_text().splitlines()]
    assert calls
    for line in (line for call in calls for line in commands(call)):
        arguments = cli._parser(line).parse_args(line)
        assert arguments.verb == line[0]


@named
def test_a_stage_of_an_eg_is_a_script_and_they_are_in_order(eg):
    listed = stages(eg)
    assert [number for number, _, _ in listed] == sorted({number for number, _, _ in listed})
    assert all(script.is_file() for _, _, script in listed)


def test_every_stage_script_is_a_stage_of_some_eg():
    used = {script for eg in EGS for _, _, script in stages(eg)}
    assert used == set((ROOT / "recipes").rglob("[0-6]_*.sh"))


def test_inference_is_told_the_manifest_to_share_out(stub, tmp_path):
    python, notes = stub
    words = ["--data", tmp_path, "--exp", tmp_path / "exp", "--stage", "4", "--stop-stage", "4"]
    subprocess.run(
        ["bash", ROOT / "egs" / "mini" / "run.sh", *words, "--nj", "2"],
        env=os.environ | {"DIARIZE_PYTHON": str(python)},
        capture_output=True,
        check=True,
    )
    (call,) = [json.loads(line) for line in notes.read_text().splitlines()]
    arguments = jobs.parser().parse_args(call[2:])
    assert (arguments.nj, arguments.split) == (2, tmp_path / "manifest.jsonl")
    assert "{shard}" in arguments.command


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("max_speaker = 4", "no setting 'max_speaker'; did you mean 'max_speakers'?"),
        ("max_speakers = 'four'", "max_speakers = 'four' is a string, a whole number is wanted"),
    ],
)
def test_a_setting_that_there_is_not_stops_the_stage_and_is_named(setting, message, tmp_path):
    conf = tmp_path / "my conf.toml"
    conf.write_text(f"extends = '{ROOT}/egs/mini/conf/default.toml'\n[infer]\n{setting}\n")
    (tmp_path / "manifest.jsonl").write_text('{"recording": "a", "audio": "a.wav"}\n')
    words = ["--conf", conf, "--data", tmp_path, "--exp", tmp_path / "exp"]
    done = subprocess.run(
        ["bash", ROOT / "egs" / "mini" / "run.sh", *words, "--stage", "4"],
        env=os.environ | {"DIARIZE_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert message in done.stderr
    assert "stage 4 infer failed with exit code 1" in done.stderr


def test_several_jobs_share_out_the_sets_to_score(stub, tmp_path):
    python, notes = stub
    scored = []
    for job in (1, 2):
        subprocess.run(
            [
                *("bash", ROOT / "recipes" / "diarization" / "5_score.sh", f"--part={job}/2"),
                *(f"conf/data/{name}.toml" for name in ("a", "b", "c")),
            ],
            env=os.environ
            | {
                "python": str(python),
                "data": str(tmp_path),
                "exp": str(tmp_path / "exp"),
                "nj": "2",
            },
            check=True,
        )
        calls = [json.loads(line) for line in notes.read_text().splitlines()]
        notes.write_text("")
        assert all(commands(call) for call in calls)
        scored.append([Path(call[3]).parent.name for call in calls])
    assert scored == [["a", "c"], ["b"]]
    assert (tmp_path / "exp" / "score" / "b.txt").exists()


@named
def test_an_eg_holds_a_run_file_settings_and_results_and_no_code(eg):
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."],
        cwd=eg,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    for name in listed.stdout.split("\n")[:-1]:
        told = name in ("run.sh", "RESULTS.md", "README.md") or name.startswith("conf/")
        assert told or name.endswith(".png"), name  # a picture is a result
        assert not (eg / name).is_symlink()


@named
def test_every_conf_of_an_eg_can_be_read(eg):
    confs = sorted(eg.rglob("conf/**/*.toml"))
    assert confs
    for conf in confs:
        assert isinstance(read_toml(conf), dict)


@pytest.mark.parametrize(
    "script", sorted((ROOT / "recipes").rglob("[0-6]_*.sh")), ids=lambda path: path.name
)
def test_a_stage_script_says_what_it_writes(script):
    text = script.read_text()
    assert f"# Stage {script.name[0]}: " in text
    assert "# writes  " in text
    assert "set -euo pipefail" in text
