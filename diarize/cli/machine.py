"""What of the machine a command takes: threads, device, seed."""

from __future__ import annotations

import argparse

from diarize.errors import BadCall

DEVICES = ("cpu", "cuda", "mps")


def add_machine_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare --threads, --device and --seed."""
    add = parser.add_argument
    add("--threads", type=int, metavar="N", help="processor threads (default: all)")
    add("--device", default="cpu", metavar="D", help="cpu, cuda, cuda:1, mps (default: cpu)")
    add("--seed", type=int, default=0, metavar="N", help="of all that is random (default: 0)")


def use_machine(arguments: argparse.Namespace) -> None:
    """Set up torch as asked.

    Raises:
        BadCall: fewer than one thread, a device that is not there, a seed below zero.
    """
    import torch

    if arguments.threads is not None and arguments.threads < 1:
        raise BadCall(f"--threads is {arguments.threads}; it must be at least 1")
    if not 0 <= arguments.seed < 2**63:
        raise BadCall(f"--seed is {arguments.seed}; it must be from 0 to 2^63 - 1")
    kind, _, number = arguments.device.partition(":")
    if kind not in DEVICES or (number and not number.isdecimal()):
        raise BadCall(f"--device is {arguments.device!r}; it must be cpu, cuda, cuda:1 or mps")
    there = {
        "cpu": 1,
        "cuda": torch.cuda.device_count() if kind == "cuda" else 0,
        "mps": int(torch.backends.mps.is_available()),
    }
    if int(number or 0) >= there[kind]:
        found = f"this machine has {there[kind]} such device{'s' * (there[kind] != 1)}"
        raise BadCall(f"--device is {arguments.device!r}, but {found} that torch can use; try cpu")
    if arguments.threads is not None:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
