"""Jobs side by side: their logs, their exit codes, and what is left when they are stopped."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diarize.errors import BadCall, BadFile
from diarize.jobs import main, run_jobs

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
            ["--nj", "1", "--log", "l", "--launcher", "slurm", "--", "true"],
            "no launcher 'slurm'; there is local",
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
