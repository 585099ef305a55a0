"""`diarize train --conf FILE --data DIR --exp DIR`: train a model; go on if that was begun."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `diarize train` takes to its parser."""
    parser.add_argument(
        "--conf",
        type=Path,
        required=True,
        metavar="FILE",
        help="a TOML file: [data] names a corpus, [model] a model, [train] how it is trained",
    )
    parser.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="what `diarize prepare` made"
    )
    parser.add_argument(
        "--exp",
        type=Path,
        required=True,
        metavar="DIR",
        help="gets model.safetensors, model.json and journal.jsonl; a training that was stopped "
        "goes on from the checkpoint there",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="begin anew, whatever an earlier training left there"
    )
    parser.add_argument(
        "--ranks",
        type=int,
        default=1,
        metavar="N",
        help="processes on this machine that share each batch (default 1); for several machines, "
        "`torchrun ... -m diarize train` with the other options",
    )


def run(arguments: argparse.Namespace) -> int:
    """Train, and print the path of the weights."""
    from diarize.cli.train_ranks import end_with_parent, run_ranks
    from diarize.errors import BadCall

    if arguments.ranks < 1:
        raise BadCall(f"--ranks {arguments.ranks}; 1 or more would be right")
    if arguments.ranks > 1:
        return run_ranks(arguments.ranks, _words(arguments))
    end_with_parent()
    from diarize.cli.train_bar import training_bar
    from diarize.cli.train_conf import read_training
    from diarize.training.checkpoint import forget
    from diarize.training.loop import train
    from diarize.training.ranks import told_ranks

    is_first = told_ranks().is_first
    found = read_training(arguments.conf, arguments.data)
    if arguments.fresh and is_first:
        forget(arguments.exp)
    with training_bar() as told:
        trained = train(
            found.model,
            found.supply,
            found.settings,
            arguments.exp,
            notify=told,
            data=found.about,
        )
    if is_first:
        print(trained.path)
    return 0


def _words(arguments: argparse.Namespace) -> list[str]:
    """The same call, for one of its ranks."""
    given = [f"--{name}={getattr(arguments, name)}" for name in ("conf", "data", "exp")]
    return ["train", *given, *(["--fresh"] if arguments.fresh else [])]
