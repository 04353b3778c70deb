"""What `faceclust evaluate pairs` says of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.evaluate.formatting import (
    NO_VALUE,
    finite_or_none,
    format_far,
    format_percent,
    format_threshold,
    print_table,
)
from faceclust.cli.terminal.text import format_count, printable

if TYPE_CHECKING:
    from faceclust.evaluation.score_pairs import PairScores, ValAtFar


def print_pair_scores(scores: PairScores, verbose: bool) -> None:
    """The figures in words and a table, on stdout; what they hang on, on stderr too."""
    total = scores.same + scores.different
    click.echo(
        f"{format_count(total, 'pair')} of {format_count(scores.photos, 'photo')}: {scores.same:,} of one person,"
        f" {scores.different:,} of two; {format_count(scores.folds, 'fold')}"
    )
    print_missing_faces(scores, verbose)
    if scores.folds == 1:
        click.echo("one fold: thresholds are chosen on the very pairs they are measured on")
    ours, (equal, equal_at) = scores.protocol, scores.equal_error_point
    click.echo(
        f"\naccuracy           {format_percent(ours.accuracy, ours.accuracy_error)} at threshold {ours.threshold:.3f}"
    )
    click.echo(f"equal error rate   {format_percent(equal)} at threshold {equal_at:.3f}, all pairs")
    click.echo(f"area under the ROC {scores.auc:.5f}, all pairs\n")
    headings = ["FAR", "VAL by folds", "FAR there", "threshold", "VAL, all pairs", "threshold"]
    print_table(headings, [_rate_cells(row) for row in scores.rates])
    few = f"{NO_VALUE}: {scores.different:,} pairs of two people are too few to tell"
    for none, where in (
        (_unresolvable_rates(scores.rates), ""),
        (_rates_unresolvable_by_folds(scores.rates), " by folds"),
    ):
        if none:
            click.echo(f"{few}{where}, at FAR {' and '.join(none)}")


def _unresolvable_rates(rates: Sequence[ValAtFar]) -> list[str]:
    return [format_far(row.target) for row in rates if row.val is None]


def _rates_unresolvable_by_folds(rates: Sequence[ValAtFar]) -> list[str]:
    return [format_far(row.target) for row in rates if row.val is not None and row.by_folds is None]


def print_missing_faces(scores: PairScores, verbose: bool) -> None:
    """On how many photos no face was found, and what that does."""
    number = len(scores.not_found)
    if not number:
        click.echo("a face was found on every photo")
        return
    lost = format_count(sum(scores.pairs_without_face), "pair")
    one, two = scores.pairs_without_face
    done = "left out" if scores.missing_excluded else "counted as errors"
    hint = "" if verbose else "; -v lists the photos"
    click.echo(
        f"no face found on {format_count(number, 'photo')}: {lost} {done} ({one} of one person, {two} of two){hint}"
    )
    for name in scores.not_found if verbose else ():
        click.echo(f"  {printable(name)}")


def _rate_cells(row: ValAtFar) -> list[str]:
    folds = row.by_folds
    return [
        format_far(row.target),
        format_percent(folds.val, folds.val_error) if folds else NO_VALUE,
        format_percent(folds.far) if folds else NO_VALUE,
        format_threshold(folds.far_threshold if folds else None),
        format_percent(row.val),
        format_threshold(row.threshold),
    ]


def pair_scores_record(scores: PairScores) -> dict[str, Any]:
    """The figures as JSON has them."""
    ours, (equal, equal_at) = scores.protocol, scores.equal_error_point
    one, two = scores.pairs_without_face
    return {
        "photos": scores.photos,
        "same": scores.same,
        "different": scores.different,
        "folds": scores.folds,
        "not_found": list(scores.not_found),
        "pairs_without_a_face": {"same": one, "different": two, "left_out": scores.missing_excluded},
        "accuracy": {
            "mean": ours.accuracy,
            "standard_error": ours.accuracy_error,
            "threshold": finite_or_none(ours.threshold),
        },
        "val": [_rate_record(row) for row in scores.rates],
        "auc": scores.auc,
        "eer": {"rate": equal, "threshold": finite_or_none(equal_at)},
    }


def _rate_record(row: ValAtFar) -> dict[str, Any]:
    folds = row.by_folds and {
        "val": finite_or_none(row.by_folds.val),
        "standard_error": row.by_folds.val_error,
        "far": finite_or_none(row.by_folds.far),
        "threshold": finite_or_none(row.by_folds.far_threshold),
    }
    return {
        "far": row.target,
        "resolvable": row.val is not None,
        "by_folds": folds,
        "all_pairs": _all_pairs_record(row),
    }


def _all_pairs_record(row: ValAtFar) -> dict[str, Any] | None:
    fields = {name: finite_or_none(value) for name, value in asdict(row).items() if name in ("val", "far", "threshold")}
    return fields if row.val is not None else None
