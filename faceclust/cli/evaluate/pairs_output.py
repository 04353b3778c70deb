"""What `faceclust evaluate pairs` says of its figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.evaluate.formatting import NONE, distance, finite, percent, print_table, rate
from faceclust.cli.terminal.text import count, printable

if TYPE_CHECKING:
    from faceclust.evaluation.score_pairs import PairScores, Rate


def tell_pairs(scores: PairScores, verbose: bool) -> None:
    """The figures in words and a table, on stdout; what they hang on, on stderr too."""
    total = scores.same + scores.different
    click.echo(
        f"{count(total, 'pair')} of {count(scores.photos, 'photo')}: {scores.same:,} of one person,"
        f" {scores.different:,} of two; {count(scores.folds, 'fold')}"
    )
    tell_missing(scores, verbose)
    if scores.folds == 1:
        click.echo("one fold: thresholds are chosen on the very pairs they are measured on")
    ours, (equal, equal_at) = scores.protocol, scores.equal_error
    click.echo(f"\naccuracy           {percent(ours.accuracy, ours.accuracy_error)} at threshold {ours.threshold:.3f}")
    click.echo(f"equal error rate   {percent(equal)} at threshold {equal_at:.3f}, all pairs")
    click.echo(f"area under the ROC {scores.area:.5f}, all pairs\n")
    headings = ["FAR", "VAL by folds", "FAR there", "threshold", "VAL, all pairs", "threshold"]
    print_table(headings, [_row(row) for row in scores.rates])
    few = f"{NONE}: {scores.different:,} pairs of two people are too few to tell"
    for none, where in ((_untold(scores.rates), ""), (_untold_by_folds(scores.rates), " by folds")):
        if none:
            click.echo(f"{few}{where}, at FAR {' and '.join(none)}")


def _untold(rates: Sequence[Rate]) -> list[str]:
    return [rate(row.target) for row in rates if row.val is None]


def _untold_by_folds(rates: Sequence[Rate]) -> list[str]:
    return [rate(row.target) for row in rates if row.val is not None and row.folds is None]


def tell_missing(scores: PairScores, verbose: bool) -> None:
    """On how many photos no face was found, and what that does."""
    number = len(scores.not_found)
    if not number:
        click.echo("a face was found on every photo")
        return
    lost = count(sum(scores.uncompared), "pair")
    one, two = scores.uncompared
    done = "left out" if scores.left_out else "counted as errors"
    hint = "" if verbose else "; -v lists the photos"
    click.echo(f"no face found on {count(number, 'photo')}: {lost} {done} ({one} of one person, {two} of two){hint}")
    for name in scores.not_found if verbose else ():
        click.echo(f"  {printable(name)}")


def _row(row: Rate) -> list[str]:
    folds = row.folds
    return [
        rate(row.target),
        percent(folds.val, folds.val_error) if folds else NONE,
        percent(folds.far) if folds else NONE,
        distance(folds.strict if folds else None),
        percent(row.val),
        distance(row.threshold),
    ]


def pairs_record(scores: PairScores) -> dict[str, Any]:
    """The figures as JSON has them."""
    ours, (equal, equal_at) = scores.protocol, scores.equal_error
    one, two = scores.uncompared
    return {
        "photos": scores.photos,
        "same": scores.same,
        "different": scores.different,
        "folds": scores.folds,
        "not_found": list(scores.not_found),
        "pairs_without_a_face": {"same": one, "different": two, "left_out": scores.left_out},
        "accuracy": {"mean": ours.accuracy, "standard_error": ours.accuracy_error, "threshold": finite(ours.threshold)},
        "val": [_rate_record(row) for row in scores.rates],
        "auc": scores.area,
        "eer": {"rate": equal, "threshold": finite(equal_at)},
    }


def _rate_record(row: Rate) -> dict[str, Any]:
    folds = row.folds and {
        "val": finite(row.folds.val),
        "standard_error": row.folds.val_error,
        "far": finite(row.folds.far),
        "threshold": finite(row.folds.strict),
    }
    return {"far": row.target, "resolvable": row.val is not None, "by_folds": folds, "all_pairs": _overall(row)}


def _overall(row: Rate) -> dict[str, Any] | None:
    fields = {name: finite(value) for name, value in asdict(row).items() if name in ("val", "far", "threshold")}
    return fields if row.val is not None else None
