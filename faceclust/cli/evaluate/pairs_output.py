"""The output of `faceclust evaluate pairs`: figures, JSON and the ROC curve."""

from __future__ import annotations

from typing import Any, BinaryIO

from faceclust.cli.evaluate.formatting import (
    NO_VALUE,
    finite_or_none,
    format_far,
    format_percent,
    format_threshold,
)
from faceclust.cli.terminal.printing import print_line
from faceclust.cli.terminal.table import print_table
from faceclust.evaluation.score_pairs import PairScores, ValAtFar
from faceclust.outputs.plots import draw_roc
from faceclust.text.plural import format_count

_HEADINGS = ["FAR", "VAL by folds", "FAR there", "threshold", "VAL, one threshold", "threshold"]


def print_pair_scores(scores: PairScores, verbose: bool) -> None:
    """Print the accuracy and a table of VAL at each FAR; `verbose` lists the photos without a face."""
    total = scores.same + scores.different
    print_line(
        f"{format_count(total, 'pair')} of {format_count(scores.photos, 'photo')}: {scores.same:,} of one person,"
        f" {scores.different:,} of two; {format_count(scores.folds, 'fold')}"
    )
    _print_missing_faces(scores, verbose)
    if scores.folds == 1:
        print_line("one fold: thresholds are chosen on the same pairs they are measured on")
    protocol, (equal_rate, equal_threshold) = scores.protocol, scores.equal_error_point
    accuracy = format_percent(protocol.accuracy, protocol.accuracy_error)
    print_line()
    print_line(f"accuracy           {accuracy} at threshold {protocol.threshold:.3f}")
    print_line(f"equal error rate   {format_percent(equal_rate)} at threshold {equal_threshold:.3f}, all folds")
    print_line(f"area under the ROC {scores.auc:.5f}, all folds")
    print_line()
    print_table(_HEADINGS, [_rate_cells(rate) for rate in scores.rates])
    unresolvable = [format_far(rate.target) for rate in scores.rates if rate.val is None]
    by_folds = [format_far(rate.target) for rate in scores.rates if rate.val is not None and rate.by_folds is None]
    for rates, where in ((unresolvable, ""), (by_folds, " by folds")):
        if rates:
            print_line(
                f"{NO_VALUE}: too few pairs of two people ({scores.different:,}) to measure FAR "
                f"{' and '.join(rates)}{where}"
            )


def _print_missing_faces(scores: PairScores, verbose: bool) -> None:
    if not scores.not_found:
        print_line("a face was found on every photo")
        return
    one, two = scores.pairs_without_face
    photos, pairs = format_count(len(scores.not_found), "photo"), format_count(one + two, "pair")
    counted = "left out" if scores.missing_excluded else "counted as errors"
    hint = "" if verbose else "; -v lists the photos"
    print_line(f"no face found on {photos}: {pairs} {counted} ({one} of one person, {two} of two){hint}")
    for name in scores.not_found if verbose else ():
        print_line(f"  {name}")


def _rate_cells(rate: ValAtFar) -> list[str]:
    folds = rate.by_folds
    return [
        format_far(rate.target),
        format_percent(folds.val, folds.val_error) if folds else NO_VALUE,
        format_percent(folds.far) if folds else NO_VALUE,
        format_threshold(folds.far_threshold if folds else None),
        format_percent(rate.val),
        format_threshold(rate.threshold),
    ]


def pair_scores_record(scores: PairScores) -> dict[str, Any]:
    """The figures for `--json`."""
    protocol, (equal_rate, equal_threshold) = scores.protocol, scores.equal_error_point
    one, two = scores.pairs_without_face
    return {
        "photos": scores.photos,
        "same": scores.same,
        "different": scores.different,
        "folds": scores.folds,
        "not_found": list(scores.not_found),
        "pairs_without_a_face": {"same": one, "different": two, "left_out": scores.missing_excluded},
        "accuracy": {
            "mean": protocol.accuracy,
            "standard_error": protocol.accuracy_error,
            "threshold": finite_or_none(protocol.threshold),
        },
        "val": [_rate_record(rate) for rate in scores.rates],
        "auc": scores.auc,
        "eer": {"rate": equal_rate, "threshold": finite_or_none(equal_threshold)},
    }


def _rate_record(rate: ValAtFar) -> dict[str, Any]:
    by_folds = rate.by_folds and {
        "val": finite_or_none(rate.by_folds.val),
        "standard_error": rate.by_folds.val_error,
        "far": finite_or_none(rate.by_folds.far),
        "threshold": finite_or_none(rate.by_folds.far_threshold),
    }
    all_folds = {name: finite_or_none(getattr(rate, name)) for name in ("val", "far", "threshold")}
    return {
        "far": rate.target,
        "resolvable": rate.val is not None,
        "by_folds": by_folds,
        "all_folds": all_folds if rate.val is not None else None,
    }


def draw_pair_scores(stream: BinaryIO, suffix: str, scores: PairScores, title: str) -> None:
    """Draw the ROC curve with a mark at each measured FAR."""
    marks = [(rate.far, rate.val) for rate in scores.rates if rate.far and rate.val is not None]
    draw_roc(
        stream,
        suffix,
        scores.curve.far,
        scores.curve.val,
        highlighted=marks,
        min_far=1 / scores.different,
        title=f"{title}: AUC {scores.auc:.4f}, EER {100 * scores.equal_error_point[0]:.2f} %",
    )
