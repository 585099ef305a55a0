"""A recipe sent through a real Slurm of one node, which the test starts and stops."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diarize.formats.manifest import read_manifest
from diarize.jobs.settings import WorkerSettings, read_launcher

ROOT = Path(__file__).parent.parent
NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo", "squeue")
TIMEOUT_S = 1200
CONF = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={other_port}
AuthType=auth/munge
AuthInfo=socket={home}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool
SlurmctldPidFile={home}/slurmctld.pid
SlurmdPidFile={home}/slurmd.pid
SlurmctldLogFile={home}/slurmctld.log
SlurmdLogFile={home}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
CommunicationParameters=NoInAddrAny
NodeName={host} NodeAddr=127.0.0.1 CPUs={n_cores} RealMemory=4000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def slurm(tmp_path_factory):
    """The settings file of a Slurm that runs, on loopback only."""
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        pytest.skip(f"no {', '.join(missing)} here; apt-get install slurm-wlm munge brings them")
    if os.geteuid():
        pytest.skip("slurmd can be started by root only")
    home = tmp_path_factory.mktemp("slurm")
    home.chmod(0o755)
    for name in ("state", "spool"):
        (home / name).mkdir()
    (home / "munge.key").write_bytes(os.urandom(1024))
    (home / "munge.key").chmod(0o400)
    conf, host = home / "slurm.conf", socket.gethostname().split(".")[0]
    text = CONF.format(
        host=host, home=home, port=free_port(), other_port=free_port(), n_cores=os.cpu_count()
    )
    conf.write_text(text)
    munge = ["munged", "--foreground", "--force", f"--key-file={home}/munge.key"]
    munge += [f"--{name}-file={home}/munge.{name}" for name in ("pid", "log", "seed")]
    commands = [
        [*munge, f"--socket={home}/munge.socket"],
        ["slurmctld", "-D", "-i"],
        ["slurmd", "-D"],
    ]
    environment = os.environ | {"SLURM_CONF": str(conf)}
    daemons = []
    try:
        for command in commands:
            with (home / f"{command[0]}.err").open("w") as log:
                daemons.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
            time.sleep(1)
        wait_for_node(environment, home)
        yield conf
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(timeout=60)


def wait_for_node(environment, home, limit_s=60):
    deadline_s = time.monotonic() + limit_s
    while True:
        asked = subprocess.run(
            ["sinfo", "--noheader", "--format=%t"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.stdout.strip() == "idle":
            return
        if time.monotonic() > deadline_s:
            said = [line for log in home.glob("*.err") for line in log.read_text().splitlines()]
            why = (said or [asked.stdout.strip() + asked.stderr.strip()])[-1]
            pytest.skip(f"Slurm cannot be started here: {why}")
        time.sleep(0.5)


@pytest.mark.slow
@pytest.mark.timeout(TIMEOUT_S)
def test_egs_mini_runs_through_slurm(slurm, tmp_path, diarizer):  # diarizer: skips without weights
    launchers = tmp_path / "launchers.toml"
    launchers.write_text('[slurm]\ninterface = "lo"\nmemory = "1500MB"\nwalltime = "00:30:00"\n')
    python = tmp_path / "python"  # as run.sh has it from .venv: other packages are found beside it
    python.write_text(f'#!/usr/bin/env bash\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    data, exp = tmp_path / "data", tmp_path / "exp"
    words = ["--data", data, "--exp", exp, "--nj", "2", "--launcher", "slurm"]
    done = subprocess.run(
        ["bash", ROOT / "egs" / "mini" / "run.sh", *words, "--launchers", launchers],
        env=os.environ | {"SLURM_CONF": str(slurm), "DIARIZE_PYTHON": str(python)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    recordings = sorted(one.recording for one in read_manifest(data / "manifest.jsonl"))
    assert len(recordings) >= 2
    assert sorted(path.stem for path in (exp / "result").glob("*.rttm")) == recordings
    assert (exp / "report.html").stat().st_size > 0
    for number in (1, 2):
        log = (exp / "log" / f"4_infer.result.{number}.log").read_text().splitlines()
        assert log[-1].startswith("# exit 0 after ")
    left = subprocess.run(
        ["squeue", "--noheader"],
        env=os.environ | {"SLURM_CONF": str(slurm)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert left.stdout == ""  # no worker stays when a stage is over


def test_slurm_that_refuses_is_told_in_its_own_words(slurm, tmp_path):
    launchers = tmp_path / "launchers.toml"
    launchers.write_text('[slurm]\ninterface = "lo"\nmemory = "500MB"\nqueue = "none-such"\n')
    words = ["--nj", "2", "--log", str(tmp_path / "{job}.log"), "--launcher", "slurm"]
    refused = subprocess.run(
        [*(sys.executable, "-m", "diarize.jobs", *words, "--launchers", launchers), "--", "true"],
        env=os.environ | {"SLURM_CONF": str(slurm), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert refused.stderr == (
        "jobs: --launcher slurm: sbatch: error: Batch job submission failed: "
        "Invalid partition name specified\n"
    )


# What is asked of any batch system


@pytest.mark.parametrize("launcher", ["slurm", "sge", "pbs", "lsf"])
def test_a_batch_system_that_is_not_here_is_named(launcher, tmp_path, monkeypatch, capsys):
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    from diarize.jobs import main

    monkeypatch.setenv("PATH", str(tmp_path))
    words = ["--nj", "1", "--log", str(tmp_path / "log"), "--launcher", launcher]
    words += ["--launchers", str(ROOT / "recipes" / "launchers.toml")]
    assert main([*words, "--", "true"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"jobs: --launcher {launcher}: no ")
    assert "on this machine; start this where jobs are given to" in said


@pytest.mark.parametrize("launcher", ["slurm", "sge", "pbs", "lsf"])
def test_what_ships_can_be_asked_of_every_batch_system(launcher, tmp_path):
    jobqueue = pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    from diarize.jobs.queued import _asked

    settings = read_launcher(ROOT / "recipes" / "launchers.toml", launcher)
    asked = _asked(launcher, settings, tmp_path)
    kind = getattr(jobqueue, f"{launcher.upper()}Cluster").job_cls
    asked.pop("scheduler_options")
    script = kind(scheduler="tcp://host:8786", name="one", **asked).job_script()
    assert f"{sys.executable} -m distributed.cli.dask_worker tcp://host:8786" in script
    assert script.rstrip().endswith("--nthreads 1")
    assert settings.walltime in script


def test_all_settings_reach_slurm(tmp_path):
    jobqueue = pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    from diarize.jobs.queued import _asked

    settings = WorkerSettings(
        cores=3,
        memory="6GB",
        walltime="01:00:00",
        queue="short",
        account="speech",
        directives=("--gres=gpu:1",),
        prologue=("module load python",),
        interface="lo",
        scratch="/tmp/a b",
    )
    asked = _asked("slurm", settings, tmp_path)
    asked.pop("scheduler_options")
    job = jobqueue.SLURMCluster.job_cls(scheduler="tcp://host:8786", name="one", **asked)
    script = job.job_script()
    for line in (
        *("#SBATCH -J diarize", "#SBATCH -p short", "#SBATCH -A speech", "#SBATCH -t 01:00:00"),
        *("#SBATCH --cpus-per-task=3", "#SBATCH --mem=6G", "#SBATCH --gres=gpu:1"),
        *("module load python", f"#SBATCH -o {tmp_path}/diarize-%J.out"),
    ):
        assert line in script.splitlines()
    assert "--interface lo" in script
    assert "--local-directory '/tmp/a b'" in script


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[slurm]\nqueu = 'x'\n", "[slurm]: no setting 'queu'; did you mean 'queue'?"),
        ("[slurm]\ncores = 'two'\n", "cores = 'two' is a string, a whole number is wanted"),
        ("[slurm]\ncores = 0\n", "cores = 0; at least 1 would be right"),
        ("[moon]\n", "found moon; there are tables slurm, sge, pbs, lsf"),
        ("slurm = 3\n", "found slurm; there are tables slurm, sge, pbs, lsf"),
        ("[slurm\n", "not a TOML file"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(text, message, tmp_path):
    path = tmp_path / "launchers.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"launchers\.toml") as refused:
        read_launcher(path, "slurm")
    assert message in str(refused.value)


def test_a_settings_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"none\.toml: cannot be read"):
        read_launcher(tmp_path / "none.toml", "slurm")
