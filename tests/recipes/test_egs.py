"""Every eg, walked with a stub Python: each call it makes is one the real parser takes."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from diarize import cli, jobs
from diarize.config import read_toml

ROOT = Path(__file__).parent.parent.parent
EGS = sorted(path.parent for path in (ROOT / "egs").glob("*/run.sh"))
named = pytest.mark.parametrize("eg", EGS, ids=lambda path: path.name)


def commands(words):
    """The command lines of diarize in one noted call: itself, or the one that jobs would run."""
    if words[:2] == ["-m", "diarize.jobs"]:
        arguments = jobs.parser().parse_args(words[2:])
        inner = [word.format(job=1, nj=arguments.nj) for word in arguments.command]
        assert inner[0] == "--"
        if inner[1] == "bash":  # a stage script that shares out its own work
            assert Path(inner[2]).is_file()
            return []
        return commands(inner[2:])
    return [words[2:]] if words[:2] == ["-m", "diarize"] else []


@named
@pytest.mark.parametrize("n_jobs", ["1", "2"])
def test_every_call_of_an_eg_is_one_the_command_line_takes(eg, n_jobs, stub, tmp_path):
    python, notes = stub
    data = tmp_path / "the data"
    data.mkdir()
    for folder in (data, *(data / conf.stem for conf in eg.glob("conf/data/*.toml"))):
        folder.mkdir(exist_ok=True)
        (folder / "manifest.jsonl").write_text('{"recording": "a"}\n{"recording": "b"}\n')
    exp = tmp_path / "an exp"
    (exp / "ours").mkdir(parents=True)
    (exp / "ours" / "timing.json").touch()  # what a measured system leaves in egs/peers
    words = ["--data", data, "--exp", exp, "--nj", n_jobs]
    done = subprocess.run(
        ["bash", eg / "run.sh", *words],
        env=os.environ | {"DIARIZE_PYTHON": str(python), "PEERS_ENV": str(tmp_path / "an env")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    calls = [json.loads(line) for line in notes.read_text().splitlines()]
    assert calls
    for line in (line for call in calls for line in commands(call)):
        arguments = cli._parser(line).parse_args(line)
        assert arguments.verb == line[0]


def test_each_of_several_jobs_infers_recordings_of_its_own(stub, tmp_path):
    python, notes = stub
    manifest = ['{"recording": "a"}', '{"recording": "b"}', "", '{"recording": "c"}']
    (tmp_path / "manifest.jsonl").write_text("\n".join(manifest) + "\n")
    words = ["--data", tmp_path, "--exp", tmp_path / "exp", "--stage", "4", "--stop-stage", "4"]
    subprocess.run(
        ["bash", ROOT / "egs" / "mini" / "run.sh", *words, "--nj", "2"],
        env=os.environ | {"DIARIZE_PYTHON": str(python)},
        capture_output=True,
        check=True,
    )
    parts = [(tmp_path / f"manifest.{job}-of-2.jsonl").read_text() for job in (1, 2)]
    assert parts == [f"{manifest[0]}\n{manifest[3]}\n", f"{manifest[1]}\n"]
    (call,) = [json.loads(line) for line in notes.read_text().splitlines()]
    assert f"{tmp_path}/manifest.{{job}}-of-{{nj}}.jsonl" in call


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
