"""How much two scores of the same recordings differ in DER, with an interval.

python recipes/diarization/paired_der.py CONTROL.json OTHER.json ...

Each file is what `diarize score --json` wrote. For each other one: the difference of the DER and of
its parts to the control's, in points, and 95 % by bootstrap over recordings, which are drawn with
what both systems made of them (2,000 draws).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from diarize.scoring.bootstrap import N_RESAMPLES

PARTS = {
    "DER": ("missed_s", "false_alarm_s", "confusion_s"),
    "miss": ("missed_s",),
    "FA": ("false_alarm_s",),
    "confusion": ("confusion_s",),
}


def seconds(path: Path) -> dict[str, dict[str, float]]:
    """The seconds of each recording's errors, with collar 0 and overlap scored."""
    told = json.loads(path.read_text())
    return {one["recording"]: one["rates"]["full"] for one in told["recordings"]}


def difference(
    control: dict[str, dict[str, float]], other: dict[str, dict[str, float]], part: str
) -> tuple[float, float, float]:
    """The other's rate less the control's, and its interval, in points."""
    if control.keys() != other.keys():
        raise SystemExit("the two scores are of different recordings; score the same set twice")
    names = sorted(control)
    total = np.array([control[name]["total_s"] for name in names])
    changed = np.array(
        [sum(other[name][kind] - control[name][kind] for kind in PARTS[part]) for name in names]
    )
    draws = np.random.default_rng(0).multinomial(
        len(names), np.full(len(names), 1 / len(names)), size=N_RESAMPLES
    )
    low, high = np.quantile((draws @ changed) / (draws @ total), [0.025, 0.975])
    return tuple(100 * one for one in (changed.sum() / total.sum(), low, high))


def main() -> int:
    """Write a line for each score."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("control", type=Path)
    parser.add_argument("others", type=Path, nargs="+")
    arguments = parser.parse_args()
    control = seconds(arguments.control)
    for path in arguments.others:
        other = seconds(path)
        found = []
        for part in PARTS:
            mean, low, high = difference(control, other, part)
            found.append(f"{part} {mean:+.2f} ({low:+.2f} to {high:+.2f})")
        sys.stdout.write(f"{path}: {'  '.join(found)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
