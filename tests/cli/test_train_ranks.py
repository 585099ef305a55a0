"""`diarize train --ranks N`: N processes that are started together and end together."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from diarize.cli import main, train_ranks
from diarize.cli.process import Terminated
from diarize.errors import BadCall

ROOT = Path(__file__).parents[2]


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """A function: let what these lines of shell do stand for each rank."""

    def stand_in(script):
        path = tmp_path / "worker"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(path))

    return stand_in


def test_rank_0_prints_and_the_others_are_silent(worker, capfd):
    worker('echo "weights of $RANK"; echo "progress of $RANK" >&2')
    assert train_ranks.run_ranks(3, ["train"]) == 0
    assert capfd.readouterr() == ("weights of 0\n", "progress of 0\n")


def test_each_is_told_its_rank_the_call_and_to_leave_processors_to_the_others(
    worker, tmp_path, monkeypatch
):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    worker(f'echo "$* $WORLD_SIZE $LOCAL_RANK $OMP_NUM_THREADS" > "{tmp_path}/told$RANK"')
    train_ranks.run_ranks(2, ["train", "--conf=a b.toml"])
    n_threads = max(1, len(os.sched_getaffinity(0)) // 2)
    for rank in (0, 1):
        told = (tmp_path / f"told{rank}").read_text()
        assert told == f"-m diarize train --conf=a b.toml 2 {rank} {n_threads}\n"


def test_when_one_fails_its_reason_and_code_are_those_of_all(worker, capfd):
    worker('[ $RANK = 1 ] || exit 75; echo "diarize train: the disk is full" >&2; exit 1')
    assert train_ranks.run_ranks(2, ["train"]) == 1
    assert capfd.readouterr().err == "rank 1 failed:\ndiarize train: the disk is full\n"


def test_what_all_say_is_said_once(worker, capfd):
    worker('echo "a.toml: no such conf file" >&2; exit 2')
    assert train_ranks.run_ranks(3, ["train"]) == 2
    assert capfd.readouterr().err == "a.toml: no such conf file\n"


def test_one_that_was_killed_is_named(worker, capfd):
    worker("[ $RANK = 2 ] || exit 75; kill -9 $$")
    assert train_ranks.run_ranks(3, ["train"]) == 128 + 9
    assert capfd.readouterr().err == "diarize train: rank 2 was killed by signal 9\n"


def test_others_that_do_not_end_by_themselves_are_told_and_then_made_to(worker, monkeypatch):
    monkeypatch.setattr(train_ranks, "GRACE_S", 0.2)
    worker("[ $RANK = 0 ] && exit 3; trap '' TERM; while :; do sleep 0.1; done")
    began = time.monotonic()
    assert train_ranks.run_ranks(2, ["train"]) == 3
    assert time.monotonic() - began < 30


@pytest.fixture
def interruptible():
    """Children can be interrupted, even where this process was started with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("stop", "code"), [(Terminated, 143), (KeyboardInterrupt, 130)])
def test_a_signal_to_stop_is_passed_on_and_all_are_waited_for(
    worker, monkeypatch, interruptible, tmp_path, stop, code
):
    worker(
        f"trap 'touch {tmp_path}/saved$RANK; exit {code}' TERM INT; touch {tmp_path}/here$RANK; "
        "while :; do sleep 0.1; done"
    )
    sleep, stops = time.sleep, iter([stop])

    def wait(seconds):
        if all((tmp_path / f"here{rank}").exists() for rank in (0, 1)):
            for one in stops:
                raise one
        sleep(seconds)

    monkeypatch.setattr(train_ranks.time, "sleep", wait)
    assert train_ranks.run_ranks(2, ["train"]) == code
    assert (tmp_path / "saved0").exists()
    assert (tmp_path / "saved1").exists()


def test_a_rank_does_not_start_ranks_itself(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadCall, match="leave it out under torchrun"):
        train_ranks.run_ranks(2, ["train"])


def test_no_rank_at_all_is_refused(capsys):
    words = ["train", "--conf", "a.toml", "--data", "data", "--exp", "exp", "--ranks", "0"]
    assert main(words) == 2
    assert capsys.readouterr().err == "diarize train: --ranks 0; 1 or more would be right\n"


TINY = """
extends = "tiny.toml"
[train.phases.experts]
epochs = 2
[train.phases.mixtures]
epochs = 40
"""


@pytest.fixture
def digits(small_mnist, tmp_path):
    """A folder with small digits prepared, and a conf to train on them."""
    (tmp_path / "tiny.toml").write_text((ROOT / "egs/mnist/conf/tiny.toml").read_text())
    (tmp_path / "a.toml").write_text(TINY)
    words = ["prepare", "digits", "--data", str(small_mnist), "--conf", str(tmp_path / "a.toml")]
    assert main(words) == 0
    return tmp_path


def started(digits, exp, *words):
    program = [*(words or [sys.executable]), "-m", "diarize", "train"]
    call = ["--conf", digits / "a.toml", "--data", digits / "small mnist", "--exp", exp]
    return program, call, {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def totals(exp):
    rows = [json.loads(line) for line in (exp / "journal.jsonl").read_text().splitlines()]
    return [row["total"] for row in rows if row["kind"] == "step"]


@pytest.mark.slow
def test_told_to_stop_two_ranks_leave_a_checkpoint_from_which_one_goes_on(digits):
    exp = digits / "exp"
    program, call, environment = started(digits, exp)
    command = [*program, *call, "--ranks", "2"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        while not (exp / "journal.jsonl").exists() or len(totals(exp)) < 4:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 143
    assert told.splitlines()[-1] == "diarize train: told to stop"
    assert (exp / "checkpoint.safetensors").exists()
    assert not (exp / "model.safetensors").exists()
    done = subprocess.run([*program, *call], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{exp}/model.safetensors\n")


@pytest.mark.slow
def test_under_torchrun_two_ranks_have_the_curve_of_one(digits):
    # few and small steps: at 1e-2, rounding is a thousand times as large after twenty of them
    few = TINY.replace("epochs = 40", "epochs = 0").replace("epochs = 2", "epochs = 1\nrate = 1e-3")
    (digits / "a.toml").write_text(few)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    program, call, environment = started(digits, digits / "two", *torchrun, "--nproc-per-node=2")
    environment["GLOO_SOCKET_IFNAME"] = "lo"
    done = subprocess.run([*program, *call], env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{digits}/two/model.safetensors\n"), done.stderr
    program, call, environment = started(digits, digits / "one")
    subprocess.run([*program, *call], env=environment, check=True, capture_output=True)
    assert totals(digits / "two") == pytest.approx(totals(digits / "one"), rel=1e-4)
