"""Jobs as tasks of a Dask cluster: one that is there, or one that a batch system is asked for.

A job is a task: when its worker dies, the scheduler gives it to another one. A job that fails by
itself is not tried again, for it would fail again.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import queue
import re
import sys
import threading
import time
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from diarize.errors import BadCall, BadFile, DiarizeError
from diarize.jobs import task
from diarize.jobs.job import Batch, Job
from diarize.jobs.settings import WorkerSettings
from diarize.jobs.task import Ended, Order, run_task

if TYPE_CHECKING:
    from distributed import Client, Future

    from diarize.jobs.queued import Workers

ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://([^/:\s]+|\[[0-9a-fA-F:]+\]):[0-9]+")
ANSWER_S = 8.0  # within which a scheduler must answer
LOOK_S = 1.0  # how often it is looked whether all is well while nothing ends
TELL_S = 60.0  # how often it is said that there are no workers
GRACE_S = 2.0  # for a job whose worker died or that nobody waits for: what it makes appears whole
DIED = 128 + 9  # exit code of a job that was given up because its workers died
# what a worker's machine knows better than the one that sends jobs
OF_ITS_MACHINE = ("SLURM_", "SBATCH_", "PBS_", "SGE_", "LSB_", "DASK_", "XDG_", "SSH_")
OF_ITS_MACHINE_TOO = {"HOSTNAME", "TMPDIR", "TEMP", "TMP", "DISPLAY", "CUDA_VISIBLE_DEVICES"}
SECRET = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "API_KEY", "ACCESS_KEY")


class ClusterGone(DiarizeError):
    """A scheduler that is not there, or no longer."""


def run_at(address: str, batch: Batch) -> Generator[Job]:
    """Yield the jobs as they end, run by the workers of the scheduler at `address`.

    Raises:
        ClusterGone: nobody answers there, or no longer.
        BadCall: Dask is not installed, or the address is none.
    """
    with _client(address) as client:
        yield from _run(client, batch, {}, address, None)


def run_in_queue(launcher: str, settings: WorkerSettings, batch: Batch) -> Generator[Job]:
    """Yield the jobs as they end, run by workers that are jobs of a batch system.

    The scheduler is in this process, so this process must be there to the end.

    Raises:
        BadCall: Dask is not installed, the batch system is not there or refuses what it is asked.
    """
    _need_dask()
    from diarize.jobs.queued import workers_in_queue

    threads = {"OMP_NUM_THREADS": str(settings.cores)}
    with workers_in_queue(launcher, settings, batch) as workers, _client(workers.address) as client:
        yield from _run(client, batch, threads, f"the {launcher} queue", workers)


def _run(
    client: Client, batch: Batch, extra: dict[str, str], place: str, workers: Workers | None
) -> Generator[Job]:
    run, environment = uuid.uuid4().hex[:8], extra | _environment()
    ended: queue.Queue[Future] = queue.Queue()
    numbers: dict[Future, int] = {}
    for number in range(1, batch.n_jobs + 1):
        log = _fresh(batch.log_of(number))
        order = Order(batch.words(number), str(log), environment, str(Path.cwd()), GRACE_S)
        key = f"{log.stem}-{run}-{number}"
        future = client.submit(_work, order, key, key=key, pure=False)
        numbers[future] = number
        future.add_done_callback(ended.put)
    watch = _Watch(client, place, workers)
    while numbers:
        try:
            future = ended.get(timeout=LOOK_S)
        except queue.Empty:
            watch.look(len(numbers))
            continue
        number = numbers.pop(future)
        yield _job(number, batch.log_of(number), future, place)


def _work(order: Order, key: str) -> Ended:
    """Run one job on a worker, as long as the scheduler wants it there."""
    from distributed import get_worker

    worker = get_worker()
    its_own = {key: value for key, value in os.environ.items() if _is_of_its_machine(key)}
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    environment = threads | its_own | dict(order.environment or {})

    def is_wanted() -> bool:
        mine = worker.state.tasks.get(key)
        held = mine is not None and mine.state in ("executing", "long-running")
        return held and worker.status.name in ("running", "paused")

    return run_task(order._replace(environment=environment), is_wanted)


def _job(number: int, log: Path, future: Future, place: str) -> Job:
    """What became of one task."""
    if future.status == "finished":
        ended: Ended = Ended(*future.result())
        fault = (
            f"{ended.machine}: {ended.fault}; do workers see this folder?" if ended.fault else ""
        )
        return Job(number, log, ended.exit_code, ended.duration_s, ended.machine, fault)
    if future.status in ("cancelled", "lost"):
        raise ClusterGone(
            f"{place}: the scheduler is gone; what is finished is kept, the same command goes on"
        )
    error = future.exception(timeout=ANSWER_S)
    first = (str(error).strip().splitlines() or [""])[0]
    return Job(number, log, DIED, 0.0, "", f"given up by {place}: {type(error).__name__}: {first}")


class _Watch:
    """Whether there is anybody to work, told from time to time if not."""

    def __init__(self, client: Client, place: str, workers: Workers | None) -> None:
        self.client, self.place, self.workers = client, place, workers
        self.told_s = time.monotonic() - TELL_S + 5 * LOOK_S

    def look(self, n_left: int) -> None:
        try:
            n_workers = len(self.client.nthreads())
        except OSError:  # nobody answers: if it stays so, the jobs are told
            return
        if self.workers is not None:
            self.workers.keep(n_left, n_workers)
        now_s = time.monotonic()
        if not n_workers and now_s - self.told_s >= TELL_S:
            self.told_s = now_s
            text = f"jobs: {n_left} left, but {self.place} has no worker yet; waiting\n"
            sys.stderr.write(text)
            sys.stderr.flush()


@contextlib.contextmanager
def _client(address: str) -> Iterator[Client]:
    """A connection to the scheduler at `address`, closed at the end, with all it has asked for."""
    _need_dask()
    if not ADDRESS.fullmatch(address):
        raise BadCall(f"--address {address}: no such address; tcp://host:8786 would be right")
    import cloudpickle  # type: ignore[import-untyped]
    from distributed import Client

    for module in (task, sys.modules[__name__]):  # so that workers need nothing of ours
        cloudpickle.register_pickle_by_value(module)
    for name in ("distributed", "distributed.client"):  # what matters is raised
        logging.getLogger(name).setLevel(logging.CRITICAL)
    found: queue.Queue[Client | Exception] = queue.Queue()

    def connect() -> None:  # in a thread, for looking up a name may take longer than one would wait
        try:
            found.put(Client(address, timeout=ANSWER_S - 1, set_as_default=False, name="diarize"))
        except Exception as error:
            found.put(error)

    threading.Thread(target=connect, daemon=True).start()
    try:
        client = found.get(timeout=ANSWER_S)
    except queue.Empty:
        client = TimeoutError("no answer")
    if isinstance(client, Exception):
        raise ClusterGone(
            f"--address {address}: no Dask scheduler answers there within {ANSWER_S:.0f} s; "
            "is `dask scheduler` running, and may this machine reach it?"
        )
    try:
        yield client
    finally:
        client.close(timeout=ANSWER_S)


def _need_dask() -> None:
    for name in ("distributed", "dask_jobqueue"):
        if importlib.util.find_spec(name) is None:
            raise BadCall(
                f"--launcher: {name} is not installed; `bash recipes/setup.sh --cluster` "
                "brings it, or `pip install 'diarize-toolkit[cluster]'`"
            )


def _environment() -> dict[str, str]:
    """The surroundings of this process that jobs elsewhere are to have, without what is secret."""
    return {
        name: value
        for name, value in os.environ.items()
        if not _is_of_its_machine(name) and not any(word in name.upper() for word in SECRET)
    }


def _is_of_its_machine(name: str) -> bool:
    return name.startswith(OF_ITS_MACHINE) or name in OF_ITS_MACHINE_TOO


def _fresh(log: Path) -> Path:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")
    except OSError as error:
        raise BadFile(f"{log}: log cannot be written ({error.strerror})") from error
    return log.absolute()
