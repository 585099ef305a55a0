"""Jobs on a Dask cluster that the tests start on loopback, and what it survives."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from diarize.jobs import main

ROOT = Path(__file__).parent.parent
PYTHON = [sys.executable, "-m"]
TIMEOUT_S = 1000


@dataclass
class Cluster:
    """A scheduler and two workers with a thread each."""

    folder: Path
    port: int
    scheduler: subprocess.Popen
    workers: list

    @property
    def address(self):
        return f"tcp://127.0.0.1:{self.port}"

    def add_worker(self):
        number = len(self.workers)
        log = self.folder / f"worker{number}.log"
        words = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"]
        words += ["--local-directory", str(self.folder / f"worker{number}")]
        self.workers.append(start("distributed.cli.dask_worker", self.address, *words, log=log))
        wait_until(lambda: "Registered to" in log.read_text())

    def jobs(self, command, n_jobs, log, *options):
        """`python -m diarize.jobs`, started."""
        words = ["--nj", str(n_jobs), "--log", str(log), *map(str, options)]
        words += ["--launcher", "dask", "--address", self.address, "--", *map(str, command)]
        return start("diarize.jobs", *words)

    def close(self):
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.communicate()


def start(module, *words, log=None):
    out = log.open("w") if log else subprocess.PIPE
    try:
        return subprocess.Popen(
            [*PYTHON, module, *words],
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
            text=True,
        )
    finally:
        if log:
            out.close()


def wait_until(condition, limit_s=TIMEOUT_S):
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def is_at_work(word):
    """Whether a process has `word` among those of its command."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if word in words:
            return True
    return False


@pytest.fixture
def cluster(tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed (the extra `cluster`)")
    folder, port = tmp_path / "cluster", free_port()
    folder.mkdir()
    log = folder / "scheduler.log"
    words = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
    made = Cluster(folder, port, start("distributed.cli.dask_scheduler", *words, log=log), [])
    try:
        wait_until(lambda: "Scheduler at" in log.read_text())
        for _ in range(2):
            made.add_worker()
        yield made
    finally:
        made.close()


# Small jobs


def test_jobs_run_on_its_workers_with_a_log_and_an_exit_code_each(cluster, tmp_path):
    script = 'cd "$1" && echo "$2 $3 ${SECRET_TOKEN-none} $COLOUR $OMP_NUM_THREADS"; exit "$2"'
    os.environ |= {"SECRET_TOKEN": "x", "COLOUR": "sea green"}
    words = ["sh", "-c", script, "job", tmp_path, "{job}", "{nj}"]
    jobs = cluster.jobs(words, 3, tmp_path / "a log" / "{job}.log")
    out, _ = jobs.communicate(timeout=TIMEOUT_S)
    del os.environ["SECRET_TOKEN"], os.environ["COLOUR"]
    assert jobs.returncode == 1
    assert sorted(line for line in out.splitlines() if line.startswith("job")) == [
        f"job {job} of 3: exit {job} on {socket.gethostname()}, "
        f"log {tmp_path}/a log/{job}.log, which ends"
        for job in (1, 2, 3)
    ]
    first, said, last = (tmp_path / "a log" / "2.log").read_text().splitlines()
    assert first.startswith("# sh -c ")
    assert said == "2 3 none sea green 1"
    assert last.startswith("# exit 2 after ")


STEPS = """
for step in 1 2 3 4 5 6 7 8; do
  [ -e "$1/$2.$step" ] && continue
  echo "$step" >> "$1/began.$2.$step"
  sleep 0.2
  echo "$step" > "$1/part.$2" && mv "$1/part.$2" "$1/$2.$step"
done
"""


def steps(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder, ["sh", "-c", STEPS, "job", folder, "{job}"]


def test_what_a_killed_worker_leaves_another_finishes_and_nothing_runs_twice(cluster, tmp_path):
    folder, command = steps(tmp_path)
    jobs = cluster.jobs(command, 2, tmp_path / "{job}.log")
    wait_until(lambda: len(list(folder.glob("[12].*"))) >= 4)
    cluster.workers[0].kill()
    out, _ = jobs.communicate(timeout=TIMEOUT_S)
    assert jobs.returncode == 0, out
    assert len(list(folder.glob("[12].?"))) == 16
    began = [len(path.read_text().splitlines()) for path in folder.glob("began.*")]
    assert sorted(began)[-2:] in ([1, 1], [1, 2])  # at most the step that was cut short
    logs = [(tmp_path / f"{job}.log").read_text() for job in (1, 2)]
    assert sorted(log.count("# sh -c") for log in logs) == [1, 2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_jobs_end_with_the_one_that_sent_them(number, cluster, tmp_path):
    folder, command = steps(tmp_path)
    jobs = cluster.jobs(command, 2, tmp_path / "{job}.log")
    wait_until(lambda: len(list(folder.glob("[12].?"))) >= 2)
    jobs.send_signal(number)
    out, _ = jobs.communicate(timeout=TIMEOUT_S)
    if number == signal.SIGINT:
        assert jobs.returncode == 130
        assert out == "jobs: interrupted; every job was stopped\n"
    wait_until(lambda: not is_at_work(f"{folder} 1") and not is_at_work(f"{folder} 2"))
    assert len(list(folder.glob("[12].?"))) < 16


def test_a_scheduler_that_dies_is_told_in_one_line_and_its_jobs_end(cluster, tmp_path):
    folder, command = steps(tmp_path)
    jobs = cluster.jobs(command, 2, tmp_path / "{job}.log")
    wait_until(lambda: len(list(folder.glob("[12].?"))) >= 2)
    cluster.scheduler.kill()
    out, _ = jobs.communicate(timeout=TIMEOUT_S)
    assert jobs.returncode == 1
    assert out == (
        f"jobs: {cluster.address}: the scheduler is gone; what is finished is kept, "
        "the same command goes on\n"
    )
    wait_until(lambda: not is_at_work(f"{folder} 1") and not is_at_work(f"{folder} 2"))


def test_a_log_that_a_worker_cannot_write_is_told_with_the_job(cluster, tmp_path):
    (tmp_path / "1.log").symlink_to("/dev/full")
    jobs = cluster.jobs(["true"], 1, tmp_path / "{job}.log")
    out, _ = jobs.communicate(timeout=TIMEOUT_S)
    assert jobs.returncode == 1
    assert f"{tmp_path}/1.log: No space left on device; do workers see this folder?" in out


def test_an_unreachable_scheduler_is_told_within_ten_seconds(tmp_path):
    pytest.importorskip("distributed", reason="Dask is not installed (the extra `cluster`)")
    with socket.socket() as silent:  # takes calls and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for port in (free_port(), silent.getsockname()[1]):
            address = f"tcp://127.0.0.1:{port}"
            words = ["--nj", "1", "--log", str(tmp_path / "log"), "--launcher", "dask"]
            began_s = time.monotonic()
            jobs = start("diarize.jobs", *words, "--address", address, "--", "true")
            out, _ = jobs.communicate(timeout=TIMEOUT_S)
            took_s = time.monotonic() - began_s - jobs_start_s()
            assert jobs.returncode == 1
            assert out.startswith(f"jobs: --address {address}: no Dask scheduler answers there")
            assert out.count("\n") == 1
            assert took_s < 10


def jobs_start_s():
    """Seconds that starting Python with Dask takes on a machine as busy as this one."""
    began_s = time.monotonic()
    subprocess.run([sys.executable, "-c", "import distributed"], check=True)
    return time.monotonic() - began_s


@pytest.mark.parametrize("address", ["nonsense", "tcp://", "http://host:80", "tcp://host:port"])
def test_what_is_no_address_is_refused_at_once(address, tmp_path, capsys):
    pytest.importorskip("distributed", reason="Dask is not installed (the extra `cluster`)")
    words = ["--nj", "1", "--log", str(tmp_path / "log"), "--launcher", "dask"]
    assert main([*words, "--address", address, "--", "true"]) == 2
    assert f"--address {address}: no such address; tcp://host:8786" in capsys.readouterr().err


def test_without_dask_it_is_said_what_brings_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    words = ["--nj", "1", "--log", str(tmp_path / "log"), "--launcher", "dask"]
    assert main([*words, "--address", "tcp://127.0.0.1:1", "--", "true"]) == 2
    assert "`bash recipes/setup.sh --cluster` brings it" in capsys.readouterr().err


# Recordings


@pytest.fixture
def recordings(tmp_path, diarizer):  # diarizer: skips where there are no weights
    """A function: a manifest of so many short recordings, each a window of one conversation."""
    import numpy as np
    import soundfile

    from diarize.corpora.synthetic import synthetic_conversation

    def write(n_recordings, length_s=3.0, hop_s=0.5):
        made = synthetic_conversation(3, length_s + hop_s * n_recordings)
        folder = tmp_path / "data"
        folder.mkdir()
        lines = []
        for number in range(n_recordings):
            first = int(number * hop_s * made.rate_hz)
            window = made.samples[first : first + int(length_s * made.rate_hz)]
            name = f"r{number:03d}"
            soundfile.write(folder / f"{name}.wav", np.asarray(window), made.rate_hz)
            lines.append(json.dumps({"recording": name, "audio": f"{name}.wav"}))
        (folder / "manifest.jsonl").write_text("\n".join(lines) + "\n")
        return folder / "manifest.jsonl"

    return write


MANY = pytest.param(200, marks=[pytest.mark.slow, pytest.mark.timeout(2 * TIMEOUT_S)])


@pytest.mark.parametrize("n_recordings", [12, MANY])
def test_a_worker_killed_in_the_middle_costs_no_recording(
    n_recordings, cluster, recordings, tmp_path
):
    manifest, apart, here = recordings(n_recordings), tmp_path / "apart", tmp_path / "here"
    infer = [*PYTHON, "diarize", "infer", "{shard}", "--format", "rttm,json", "-o"]
    jobs = cluster.jobs([*infer, apart], 2, tmp_path / "{job}.log", "--split", manifest)
    wait_until(lambda: len(list(apart.glob("*.rttm"))) >= n_recordings // 4)
    cluster.workers[0].kill()
    finished = {path: path.stat() for path in apart.glob("*.rttm")}
    out, _ = jobs.communicate(timeout=TIMEOUT_S)
    assert jobs.returncode == 0, out
    words = ["--nj", "1", "--log", tmp_path / "here.log", "--split", manifest, "--", *infer, here]
    local = start("diarize.jobs", *map(str, words))
    assert local.wait(timeout=TIMEOUT_S) == 0
    local.communicate()
    names = [f"r{number:03d}.rttm" for number in range(n_recordings)]
    assert sorted(path.name for path in here.glob("*.rttm")) == names
    assert sorted(path.name for path in apart.glob("*.rttm")) == names
    for name in names:
        assert (apart / name).read_bytes() == (here / name).read_bytes()
    assert sum((here / name).stat().st_size > 0 for name in names) > n_recordings // 2
    for path, was in finished.items():  # what was finished was not done again
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (was.st_ino, was.st_mtime_ns)
    logs = [(tmp_path / f"{job}.log").read_text() for job in (1, 2)]
    assert sorted(log.count(f"# {shlex.quote(sys.executable)}") for log in logs) == [1, 2]
