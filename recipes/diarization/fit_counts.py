"""How much each kind of evidence says of the number of speakers, fitted on recordings with a truth.

python recipes/diarization/fit_counts.py MODEL FOLDER ... [--pause 0.2] [--folds 5]

FOLDER holds what `diarize prepare scenes` heard; recordings to choose settings on, not to test on.
Prints the numbers for `diarize.inference.counting.CountSettings`, and how often the most probable
number is the true one in folds that were not fitted on, beside how often the number that seems is.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np
import torch

from diarize.features.speaker import load_speaker_network
from diarize.inference.attribute import AttributorSettings, load_attributor, try_sets
from diarize.inference.cluster import SpeakerBounds, speaker_sets
from diarize.inference.counting import CountSettings, number_that_seems
from diarize.inference.heard_files import FOLDER, read_heard

RIDGE = 1e-3
NAMES = [field.name for field in fields(CountSettings)]


def gathered(model, embed, path, settings):
    """The evidence for each number tried in a recording, the true one, and the one that seems."""
    known = read_heard(path)
    heard = known.heard
    sets = speaker_sets(heard.voices.units, embed)
    tried = try_sets(model, heard, sets, settings, SpeakerBounds())
    found = {len(one.attributed.cast): astuple(one.evidence) for one in tried}
    return found, len(known.truth), number_that_seems(sets)


def fitted(recordings):
    """The weights under which the true numbers are most probable."""
    weights = torch.zeros(len(NAMES), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=300, line_search_fn="strong_wolfe")
    rows = [
        (torch.tensor(list(found.values()), dtype=torch.float64), list(found).index(true))
        for found, true, _ in recordings
        if true in found
    ]

    def closure():
        optimizer.zero_grad()
        cost = -sum((row @ weights).log_softmax(0)[place] for row, place in rows) / len(rows)
        cost = cost + RIDGE * weights.square().sum()
        cost.backward()
        return cost

    optimizer.step(closure)
    return weights.detach().numpy()


def judged(recordings, weights):
    """How many are right, and how probable the true number is on average."""
    right, probability = 0, 0.0
    for found, true, _ in recordings:
        odds = np.array(list(found.values())) @ weights
        chance = np.exp(odds - odds.max()) / np.exp(odds - odds.max()).sum()
        right += list(found)[int(chance.argmax())] == true
        probability += float(chance[list(found).index(true)]) if true in found else 0.0
    return right, probability


def main() -> None:
    """Fit as the command line says, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, metavar="MODEL")
    parser.add_argument("folders", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("--pause", type=float, default=AttributorSettings.pause_s)
    parser.add_argument("--folds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = load_attributor(arguments.model)
    network = load_speaker_network("campplus")
    settings = AttributorSettings(pause_s=arguments.pause)

    def embed(statistics):
        return network.embed(torch.from_numpy(statistics)).numpy()

    paths = [path for folder in arguments.folders for path in sorted((folder / FOLDER).iterdir())]
    recordings = [gathered(model, embed, path, settings) for path in paths]
    recordings = [one for one in recordings if one[0]]
    order = np.random.default_rng(0).permutation(len(recordings))
    right, probability = 0, 0.0
    for fold in range(arguments.folds):
        left_out = set(order[fold :: arguments.folds].tolist())
        weights = fitted([one for place, one in enumerate(recordings) if place not in left_out])
        of_fold = judged([recordings[place] for place in left_out], weights)
        right, probability = right + of_fold[0], probability + of_fold[1]
    seems = sum(true == seem for _, true, seem in recordings)
    told = f"{right} of {len(recordings)} right (as it seems {seems})"
    sys.stdout.write(f"{told}, true number {100 * probability / len(recordings):.0f} % probable\n")
    for name, weight in zip(NAMES, fitted(recordings), strict=True):
        sys.stdout.write(f"    {name}: float = {weight:.2f}\n")


if __name__ == "__main__":
    main()
