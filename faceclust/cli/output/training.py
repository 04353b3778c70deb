"""The output of `faceclust train`: what was learnt from, how well it does, and what to do with it."""

from __future__ import annotations

import shlex
from dataclasses import astuple
from typing import TYPE_CHECKING

from faceclust.cli.evaluate.formatting import NO_VALUE, format_far, format_interval, format_percent
from faceclust.cli.terminal.printing import print_line, print_lines
from faceclust.cli.terminal.table import print_table
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faceclust.evaluation.library_score import ConfidenceInterval
    from faceclust.training.measure import Comparison, PackFigures, PairFigures
    from faceclust.training.report import DataSummary, TrainingReport

#: Left-aligned columns of the table of figures.
_LEFT = (0, 1, 2)


def print_training(report: TrainingReport, *, in_library: bool) -> None:
    """Print the data, the training, the figures of both packs, the verdict and the next command.

    `in_library`: the faces are the confirmed ones of a library, whose names can be corrected.
    """
    print_lines(_data_lines(report.data))
    if report.history:
        print_line(_format_training(report))
    if report.interrupted:
        return
    if report.comparison is not None:
        _print_comparison(report, report.comparison)
    else:
        print_line("nothing was measured: no face was found on the photos of the held-out people")
    print_lines(_next_steps(report))
    if report.mislabelled is not None:
        print_lines(_mislabelled_lines(report, report.mislabelled, in_library=in_library))


def _data_lines(data: DataSummary) -> Iterator[str]:
    people, faces = format_count(data.people, "person", "people"), format_count(data.faces, "face")
    held_out = format_count(data.held_out_people, "person", "people")
    yield f"trained on {faces} of {people}; {format_count(data.held_out_faces, 'face')} of {held_out} held out"
    if data.skipped:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in data.skipped.items())
        yield f"left out: {reasons}"


def _format_training(report: TrainingReport) -> str:
    first, last = report.history[0], report.history[-1]
    loss = f"loss {first.loss:.3g}" + (f" → {last.loss:.3g}" if len(report.history) > 1 else "")
    epochs, images = format_count(len(report.history), "epoch"), format_count(report.images, "image")
    return f"{epochs}, {images}, {last.images_per_second:,.0f} images/s; {loss}"


def _print_comparison(report: TrainingReport, comparison: Comparison) -> None:
    faces, people = format_count(comparison.faces, "face"), format_count(comparison.people, "person", "people")
    rows = list(_figure_rows((comparison.new, comparison.baseline)))
    print_line()
    print_line(f"measured on {faces} of {people} held out; the others held out set the radius")
    print_table(["", report.name, f"in use: {comparison.baseline.pack}"], rows, left=_LEFT)
    if any(NO_VALUE in row for row in rows):
        print_line(f"{NO_VALUE}: too few pairs of two people")
    print_line()


def _figure_rows(packs: tuple[PackFigures, PackFigures]) -> Iterator[list[str]]:
    yield ["BCubed F at 1.1 (95 %)", *(format_interval(pack.f) for pack in packs)]
    yield ["  precision", *(format_interval(pack.precision) for pack in packs)]
    yield ["  recall", *(format_interval(pack.recall) for pack in packs)]
    for rates in zip(*(pack.all_pairs.rates for pack in packs), strict=True):
        yield [f"TAR at FAR {format_far(rates[0].target)}, all pairs", *(format_percent(rate.tar) for rate in rates)]
    if all(pack.pairs for pack in packs):
        yield from _pair_rows([pack.pairs for pack in packs if pack.pairs])
    for pairs in zip(*(pack.lists for pack in packs), strict=True):
        yield from _pair_rows(list(pairs))
    yield ["photos without a face", *(f"{pack.without_face:,}" for pack in packs)]


def _pair_rows(figures: list[PairFigures]) -> Iterator[list[str]]:
    yield [f"accuracy, {figures[0].name}", *(format_percent(one.accuracy, one.accuracy_error) for one in figures)]
    values = [NO_VALUE if one.val is None else format_percent(one.val, one.val_error) for one in figures]
    yield [f"VAL at FAR 1e-3, {figures[0].name}", *values]


def _next_steps(report: TrainingReport) -> Iterator[str]:
    if report.calibration is not None and report.calibration.problem:
        yield f"the radius is a guess: {report.calibration.problem}"
    elif report.calibration is not None and report.calibration.undersampled:
        yield "few people set the radius: in a large library, 1.1 may join too many"
    if report.comparison is not None:
        yield _format_verdict(report.comparison)
    if report.installed:
        yield f"next: faceclust models use {report.name}"
        return
    yield f"{report.name} was not added{f': {report.refusal}' if report.refusal else ''}; its files: {report.folder}"
    if not report.refusal:
        yield f"to add it all the same: faceclust models add {shlex.quote(str(report.manifest))}"


def _format_verdict(comparison: Comparison) -> str:
    new, baseline = comparison.new.pack, comparison.baseline.pack
    if not comparison.has_enough_people:
        return f"not distinguishable from {baseline}: too few people were held out to tell"
    if comparison.verdict == "undecided":
        return f"not distinguishable from {baseline}: BCubed F differs by {_format_difference(comparison.difference)}"
    return f"{new} is {comparison.verdict} than {baseline}: BCubed F {_format_difference(comparison.difference)}"


def _format_difference(difference: ConfidenceInterval) -> str:
    """ "+.031 (+.010 to +.050)"."""
    value, low, high = (f"{number:+.3f}".replace("0.", ".") for number in astuple(difference))
    return f"{value} ({low} to {high})"


def _mislabelled_lines(report: TrainingReport, count: int, *, in_library: bool) -> Iterator[str]:
    if not count:
        yield "no face is unlike the others of its person"
        return
    what = "face is unlike the others of its person" if count == 1 else "faces are unlike the others of their person"
    yield f"{count:,} {what}, perhaps with a wrong name: {report.mislabelled_list}"
    if in_library:
        yield 'look at the photo first; then: faceclust name PHOTO#2 "RIGHT NAME", or faceclust reject NAME PHOTO#2'
