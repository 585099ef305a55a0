"""Run one command `nj` times, on this machine or a cluster, a log and a shard number each.

    python -m diarize.jobs --nj 4 --log 'log/infer.{job}.log' -- diarize infer --shard {job}/{nj}
    python -m diarize.jobs --nj 4 --log 'log/infer.{job}.log' --split manifest.jsonl -- \\
        diarize infer {shard} -o result

`{job}` becomes 1..nj, and `{nj}` their number, in the log's name and in the command. With --split,
`{shard}` becomes the job's own part of a manifest; there are never more jobs than recordings. A log
opens with the command and closes with the exit code and the seconds it took. The exit code is 0
only if every job's is; the end of each failed job's log is printed, so nobody has to go and look.
Ctrl-C or a TERM signal stops every job and whatever the jobs have started; so does the end of this
process, however it comes.

Launchers:
    local    processes of this machine, all at once
    dask     workers of a Dask cluster that is there: --address tcp://host:8786
    slurm, sge, pbs, lsf
             workers that the batch system is asked for, as its table in --launchers says
Machines must share the folders that are named, and the Python. A job whose worker dies is done
again by another: a job must keep what it finds finished, and what it writes must appear whole.
"""

from __future__ import annotations

from diarize.jobs.job import Batch, Job
from diarize.jobs.run import LAUNCHERS, Where, main, parser, run_jobs

__all__ = ["LAUNCHERS", "Batch", "Job", "Where", "main", "parser", "run_jobs"]
