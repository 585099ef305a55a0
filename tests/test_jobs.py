"""Jobs side by side: their logs, their exit codes, and what is left when they are stopped."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from diarize.errors import BadCall, BadFile
from diarize.formats.manifest import read_manifest
from diarize.jobs import main, run_jobs
from diarize.jobs.shards import AT_ONCE, split_manifest

ROOT = Path(__file__).parent.parent
SAY = [sys.executable, "-S", "-c", "import sys; print(*sys.argv[1:])"]
FAIL_SECOND = [
    *(sys.executable, "-S", "-c"),
    "import sys\nfor i in range(30): print('line', i)\nsys.exit(3 if sys.argv[1] == '2' else 0)",
    "{job}",
]


def test_each_job_has_its_number_and_a_log(tmp_path):
    jobs = run_jobs([*SAY, "{job}/{nj}"], 2, str(tmp_path / "logs" / "a.{job}.log"))
    assert [(job.number, job.exit_code) for job in jobs] == [(1, 0), (2, 0)]
    first, said, last = (tmp_path / "logs" / "a.2.log").read_text().splitlines()
    assert first.startswith(f"# {shlex.quote(sys.executable)} -S -c ")
    assert first.endswith(" 2/2")
    assert said == "2/2"
    assert last.startswith("# exit 0 after ")
    assert last.endswith(" s")


def test_words_reach_the_command_as_they_are(tmp_path):
    words = ["a b", "$HOME", "*", "JOB", "é", "{other}"]
    (job,) = run_jobs([*SAY, *words], 1, str(tmp_path / "log"))
    assert job.log.read_text().splitlines()[1] == " ".join(words)


def test_a_failed_job_does_not_stop_the_others(tmp_path):
    jobs = run_jobs(FAIL_SECOND, 3, str(tmp_path / "{job}.log"))
    assert [job.exit_code for job in jobs] == [0, 3, 0]


def test_the_end_of_a_failed_jobs_log_is_shown(tmp_path, capsys):
    code = main(["--nj", "2", "--log", str(tmp_path / "{job}.log"), "--", *FAIL_SECOND])
    shown = capsys.readouterr()
    assert code == 1
    assert shown.out == ""
    lines = shown.err.splitlines()
    assert lines[0] == f"job 2 of 2: exit 3, log {tmp_path / '2.log'}, which ends"
    assert "  line 29" in lines
    assert "  line 1" not in lines


def test_all_jobs_done_is_exit_code_0_and_silence(tmp_path, capsys):
    assert main(["--nj", "1", "--log", str(tmp_path / "log"), "--", *SAY, "hello"]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nj", "1", "--log", "l"], "no command after --"),
        (["--nj", "0", "--log", "l", "--", "true"], "--nj 0: at least 1 would be right"),
        (["--nj", "2", "--log", "l", "--", "true"], "--log l: {job} must be in it"),
        (
            ["--nj", "1", "--log", "l", "--launcher", "moon", "--", "true"],
            "no launcher 'moon'; there is local, dask, slurm, sge, pbs, lsf",
        ),
        (
            ["--nj", "1", "--log", "l", "--launcher", "dask", "--", "true"],
            "--launcher dask needs --address tcp://host:8786",
        ),
        (
            ["--nj", "1", "--log", "l", "--launcher", "pbs", "--", "true"],
            "--launcher pbs needs --launchers FILE",
        ),
    ],
)
def test_a_call_that_cannot_be_meant_is_refused(words, message, capsys):
    assert main(words) == 2
    assert message in capsys.readouterr().err


def test_one_log_for_many_jobs_is_refused_before_any_starts(tmp_path):
    with pytest.raises(BadCall, match="would share one file"):
        run_jobs(["touch", str(tmp_path / "made")], 2, str(tmp_path / "log"))
    assert list(tmp_path.iterdir()) == []


def test_a_command_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(BadFile, match="no-such-command: cannot be started"):
        run_jobs(["no-such-command"], 1, str(tmp_path / "log"))


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(BadFile, match="log cannot be written"):
        run_jobs(["true"], 1, str(tmp_path / "file" / "log"))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_the_jobs_and_what_they_started(tmp_path, number, code):
    script = f"sleep 60 & echo $! > {tmp_path}/pid.$1; wait"
    jobs = subprocess.Popen(
        [
            *(sys.executable, "-m", "diarize.jobs", "--nj", "2"),
            *("--log", str(tmp_path / "{job}.log"), "--"),
            *("bash", "-c", script, "job", "{job}"),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    pids = []
    for path in (tmp_path / "pid.1", tmp_path / "pid.2"):
        wait_until(lambda path=path: path.exists() and path.read_text().endswith("\n"))
        pids.append(int(path.read_text()))
    jobs.send_signal(number)
    _, err = jobs.communicate(timeout=15)
    assert jobs.returncode == code
    assert "every job was stopped" in err
    for pid in pids:
        wait_until(lambda pid=pid: not is_alive(pid))
    assert (tmp_path / "1.log").read_text().splitlines()[-1].startswith("# exit ")


def test_jobs_end_when_the_one_that_started_them_is_killed_outright(tmp_path):
    script = f"sleep 60 & echo $! > {tmp_path}/pid; wait"
    jobs = subprocess.Popen(
        [
            *(sys.executable, "-m", "diarize.jobs", "--nj", "1"),
            *("--log", str(tmp_path / "log"), "--", "bash", "-c", script),
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    pid = tmp_path / "pid"
    wait_until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    jobs.kill()
    jobs.wait()
    wait_until(lambda: not is_alive(int(pid.read_text())))
    assert "# exit" not in (tmp_path / "log").read_text()  # nobody was there to write that


@pytest.mark.parametrize(("given", "expected"), [(None, "2"), ("5", "5")])
def test_jobs_share_out_the_processor_unless_the_user_does(given, expected, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(6)))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    (first, *_) = run_jobs(["sh", "-c", "echo $OMP_NUM_THREADS"], 4, str(tmp_path / "{job}.log"))
    assert first.log.read_text().splitlines()[1] == expected


def test_a_job_that_is_killed_has_the_exit_code_that_a_shell_gives(tmp_path):
    (job,) = run_jobs(["sh", "-c", "kill -9 $$"], 1, str(tmp_path / "log"))
    assert job.exit_code == 137
    assert job.log.read_text().splitlines()[-1].startswith("# exit 137 after ")


def test_a_full_disk_under_the_log_is_told_in_one_line(tmp_path, capsys):
    (tmp_path / "log").symlink_to("/dev/full")
    assert main(["--nj", "1", "--log", str(tmp_path / "log"), "--", *SAY, "hello"]) == 1
    assert capsys.readouterr().err == (
        f"jobs: {tmp_path / 'log'}: a job cannot be started (No space left on device)\n"
    )


# A manifest shared out


@pytest.fixture
def manifest(tmp_path):
    """A function: a manifest of so many recordings."""

    def write(n_recordings):
        path = tmp_path / "manifest.jsonl"
        lines = [json.dumps({"recording": f"r{i}", "audio": "a.wav"}) for i in range(n_recordings)]
        path.write_text("\n".join(lines) + "\n\n")
        return path

    return write


def ids(path):
    return [json.loads(line)["recording"] for line in path.read_text().splitlines()]


def test_recordings_go_round(manifest):
    shards = split_manifest(manifest(5), 2)
    assert [path.name for path in shards] == ["manifest.1-of-2.jsonl", "manifest.2-of-2.jsonl"]
    assert [ids(path) for path in shards] == [["r0", "r2", "r4"], ["r1", "r3"]]
    assert read_manifest(shards[1])[0].audio == shards[1].parent / "a.wav"


def test_there_are_no_more_jobs_than_recordings(manifest):
    path = manifest(2)
    assert [ids(shard) for shard in split_manifest(path, 5)] == [["r0"], ["r1"]]
    assert split_manifest(path, 1) == [path]


def test_more_shards_than_files_may_be_open_are_written(manifest):
    n_shards = AT_ONCE + 3
    shards = split_manifest(manifest(2 * n_shards), n_shards)
    assert [ids(path) for path in shards] == [
        [f"r{i}", f"r{i + n_shards}"] for i in range(n_shards)
    ]


def test_each_job_has_its_own_part(manifest, tmp_path):
    words = ["--nj", "2", "--log", str(tmp_path / "{job}.log"), "--split", str(manifest(3))]
    assert main([*words, "--", "cat", "{shard}"]) == 0
    said = [(tmp_path / f"{job}.log").read_text().splitlines()[1:-1] for job in (1, 2)]
    assert [[json.loads(line)["recording"] for line in lines] for lines in said] == [
        ["r0", "r2"],
        ["r1"],
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "manifest.jsonl: no recordings in it; expected a JSON line for each"),
        ('{"recording": "a"}\n{"audio": "b"}\n', "line 2: found no recording; give a JSON object"),
        ("no JSON\n", "line 1: found no recording"),
        (
            '{"recording": "a"}\n\n{"recording": "b"}\n{"recording": "a"}\n',
            "line 4: found the recording 'a' again (first on line 1); ids must differ",
        ),
    ],
)
def test_a_manifest_that_cannot_be_shared_out_is_refused(text, message, tmp_path, capsys):
    path = tmp_path / "manifest.jsonl"
    path.write_text(text)
    words = ["--nj", "2", "--log", str(tmp_path / "{job}.log"), "--split", str(path)]
    assert main([*words, "--", "true"]) == 1
    assert message in capsys.readouterr().err
    assert [one.name for one in tmp_path.iterdir()] == ["manifest.jsonl"]


def peak_bytes(path):
    tracemalloc.start()
    try:
        split_manifest(path, 50)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_sharing_out_keeps_next_to_nothing_of_a_recording_in_memory(manifest):
    few, many = (peak_bytes(manifest(n_recordings)) for n_recordings in (1000, 11_000))
    assert many - few < 10_000 * 16


@pytest.mark.slow
def test_a_hundred_thousand_recordings_are_shared_out_in_seconds(manifest, tmp_path):
    path, began_s = manifest(100_000), time.process_time()
    shards = split_manifest(path, 300)
    assert time.process_time() - began_s < 10
    assert sum(len(shard.read_text().splitlines()) for shard in shards) == 100_000


def test_a_manifest_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadFile, match="cannot be read"):
        split_manifest(tmp_path / "none.jsonl", 2)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] not in "ZX"
    except FileNotFoundError:
        return False


def wait_until(condition, limit_s=8):
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
