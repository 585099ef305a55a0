"""`diarize score REF EST --names`: how often components get the right name."""

from __future__ import annotations

import argparse
from collections import Counter

from diarize.cli.score_terms import check_alone, put_out

ELSEWHERE = ("beside", "frechet", "bss_eval", "csv", "uem", "codec", "stems")


def run_names(arguments: argparse.Namespace) -> int:
    """Print how many were named, how many rightly, and the calibration; the JSON with --json."""
    check_alone(arguments, "names", ELSEWHERE)
    from diarize.inference.name_scores import name_scores

    score = name_scores(arguments.reference, arguments.hypothesis)
    n_all = len(score.decisions)
    facts = {
        "components": n_all,
        "named": score.n_named,
        "named_right": score.n_named_right,
        "song_accuracy": score.share_right(score.songs),
        "song_ece": score.songs.expected_error,
        "window_accuracy": score.share_right(score.windows),
        "window_ece": score.windows.expected_error,
        "windows": score.windows.n_frames,
        "wrong": [
            {"song": one.song, "truth": one.truth, **one.name.facts()}
            for one in score.decisions
            if one.name.best != one.truth
        ],
    }
    wrong = Counter(
        f"{one.truth} as {one.name.best or 'mixed'}"
        for one in score.decisions
        if one.name.best != one.truth
    )
    lines = [
        f"components {n_all}, named {score.n_named}, of these rightly {score.n_named_right}",
        f"likeliest class right: {100 * score.share_right(score.songs):.1f} % of components (ECE "
        f"{score.songs.expected_error:.3f}), {100 * score.share_right(score.windows):.1f} % of "
        f"{score.windows.n_frames} windows (ECE {score.windows.expected_error:.3f})",
        "wrong: " + (", ".join(f"{one} {n}" for one, n in wrong.most_common()) or "none"),
    ]
    put_out(arguments, facts, "\n".join(lines) + "\n")
    return 0
