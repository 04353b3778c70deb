"""`faceclust train`."""

from __future__ import annotations

import contextlib
import math
import os
import re
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import json_option, library_option, open_library, print_json
from faceclust.cli.config_files import is_on_command_line
from faceclust.cli.output.training import print_training
from faceclust.cli.output.training_parts import parts_record, print_parts
from faceclust.cli.terminal.interrupt import stop_on_interrupt
from faceclust.cli.terminal.printing import print_failure
from faceclust.cli.terminal.progress import TerminalProgress
from faceclust.cli.terminal.quiet import silence
from faceclust.errors import UsageError
from faceclust.files.user_folders import expand_user
from faceclust.training.options import Setting, TrainingOptions
from faceclust.training.parts import BACKBONES, HEADS, check_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faceclust.training.run import TrainingReport
    from faceclust.types import LibraryFace

_SETTING = re.compile(r"(head|backbone)\.([a-z][a-z0-9_]*)=(.+)")
_DEVICE = re.compile(r"cpu|cuda(:[0-9]{1,3})?")
_DEFAULTS = TrainingOptions()


@click.command("train")
@click.argument("folder", required=False, type=click.Path(path_type=Path), metavar="[DIR]")
@click.option("--confirmed", is_flag=True, help="Train on the confirmed faces of your library, in place of DIR.")
@library_option
@click.option("--name", "-o", metavar="NAME", help="Name of the new pack. Default: BACKBONE-HEAD.")
@click.option(
    "--backbone",
    type=click.Choice(list(BACKBONES)),
    metavar="NAME",
    default=_DEFAULTS.backbone,
    show_default=True,
    help="The network; --list shows all.",
)
@click.option(
    "--head",
    type=click.Choice(list(HEADS)),
    metavar="NAME",
    default=_DEFAULTS.head,
    show_default=True,
    help="The loss; --list shows all.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PART.SETTING=VALUE",
    help="Change a setting of the head or backbone, such as head.scale=32 (repeatable).",
)
@click.option(
    "--epochs",
    type=click.IntRange(1, 10_000),
    metavar="N",
    default=_DEFAULTS.epochs,
    show_default=True,
    help="Passes over the training faces.",
)
@click.option(
    "--batch",
    type=click.IntRange(1, 1_000_000),
    metavar="IMAGES",
    default=_DEFAULTS.batch,
    show_default=True,
    help="Images a step.",
)
@click.option(
    "--people-per-batch",
    type=click.IntRange(1, 1_000_000),
    metavar="PEOPLE",
    help="Build each batch from several faces each of this many people. Default: a quarter of --batch for losses "
    "that compare faces, random faces for others.",
)
@click.option("--lr", type=float, metavar="RATE", help="Highest learning rate. Default: that of the head.")
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    metavar="N",
    default=_DEFAULTS.seed,
    show_default=True,
    help="Start of all random choices.",
)
@click.option(
    "--device", default=_DEFAULTS.device, show_default=True, metavar="cpu|cuda|cuda:N", help="Where to train."
)
@click.option("--amp", is_flag=True, help="Mixed precision: float16 on a GPU, bfloat16 on the CPU.")
@click.option(
    "--held-out",
    type=click.FloatRange(0, 0.5, min_open=True),
    metavar="SHARE",
    default=0.1,
    show_default=True,
    help="Share of the people kept out of training, to measure on; at least 40 people.",
)
@click.option(
    "--licence",
    metavar="TEXT",
    default="not known",
    show_default=True,
    help="The licence that the data gives the model, best as SPDX.",
)
@click.option("--resume", is_flag=True, help="Continue a run that was stopped, with the same options.")
@click.option("--list", "as_list", is_flag=True, help="List the heads and backbones with their settings.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    folder: Path | None,
    confirmed: bool,
    library: Path | None,
    name: str | None,
    held_out: float,
    licence: str,
    resume: bool,
    as_list: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Train a face model from folders of people, measure it, and make it a pack.

    DIR holds a folder for each person, or InsightFace's train.rec. Some people are held out: the new
    model and the pack in use are measured on them. The new pack can be used only if it is better.
    A useful model takes some hundred thousand faces of thousands of people, and a GPU: see
    `faceclust help training`. Press Ctrl-C to stop; --resume continues.

    \b
    Examples:
      faceclust train --list
      faceclust train ~/faces -o mine --epochs 10
      faceclust train ~/faces -o mine --epochs 10 --resume
      faceclust train ~/faces --head triplet --people-per-batch 32
      faceclust train ~/faces --head cosface --set head.scale=32 --set backbone.width=0.5
      faceclust train ~/faces --device cuda --amp
      faceclust train --confirmed --head subcenter-arcface
    """
    # torchrun starts a process for each GPU; the first one reports.
    is_main = "TORCHELASTIC_RUN_ID" not in os.environ or os.environ.get("RANK", "0") == "0"
    if not is_main:
        silence(ctx)
    try:
        _require_torch()
        if as_list:
            print_json(parts_record()) if as_json else print_parts()
            return
        source, baseline = _find_source(folder, library, confirmed=confirmed)
        options = _read_options(**choices)
        name = name or f"{options.backbone}-{options.head}"
        report = _run(source, options, name, baseline=baseline, held_out=held_out, licence=licence, resume=resume)
    except UsageError:
        if is_main:
            raise
        ctx.exit(UsageError.exit_code)
    if is_main:
        _print_report(report, as_json=as_json, in_library=confirmed)
    if report.interrupted:
        if is_main:
            print_failure(f"stopped; the checkpoint is saved. To continue: {_command_to_resume()}")
        ctx.exit(130)


def _require_torch() -> None:
    if not (find_spec("torch") and find_spec("onnxscript")):
        raise UsageError("training needs PyTorch, which is not installed", hint="pip install 'faceclust[train]'")


def _read_options(
    settings: tuple[str, ...], people_per_batch: int | None, lr: float | None, device: str, amp: bool, **values: Any
) -> TrainingOptions:
    """Return the options of the run. Raises UsageError for an invalid setting or device."""
    if not _DEVICE.fullmatch(device):
        raise UsageError(f"--device must be cpu, cuda or cuda:N, not {device!r}", hint="faceclust train --help")
    precision = "float32" if not amp else "float16" if device.startswith("cuda") else "bfloat16"
    found: dict[str, dict[str, Setting]] = {"head": {}, "backbone": {}}
    for text in settings:
        part, name, value = _parse_setting(text)
        found[part][name] = value
    options = TrainingOptions(
        **values,
        head_settings=found["head"],
        backbone_settings=found["backbone"],
        people_per_batch=people_per_batch or 0,
        learning_rate=lr,
        device=device,
        precision=precision,
    )
    check_settings(options)
    return options


def _parse_setting(text: str) -> tuple[str, str, Setting]:
    """Return (part, name, value) of "head.scale=32". Raises UsageError."""
    match = _SETTING.fullmatch(text)
    if match is None:
        raise UsageError(
            f"--set must be head.NAME=VALUE or backbone.NAME=VALUE, not {text!r}",
            hint="faceclust train --list shows all settings",
        )
    part, name, value = match.groups()
    if value in ("true", "false"):
        return part, name, value == "true"
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            number: int | float = kind(value)
            if not math.isfinite(number):
                raise UsageError(f"--set {part}.{name} must be a finite number, not {value}")
            return part, name, number
    return part, name, value


def _find_source(
    folder: Path | None, library: Path | None, *, confirmed: bool
) -> tuple[Path | Sequence[LibraryFace], str | None]:
    """Return the folder to train on, or the confirmed faces of a library with its pack's name. Raises UsageError."""
    if confirmed:
        if folder is not None:
            raise UsageError("--confirmed trains on your library, not on DIR", hint="leave out DIR or --confirmed")
        opened = open_library(library)
        return opened.confirmed_faces(), opened.pack_name
    if is_on_command_line("library"):
        raise UsageError("--library needs --confirmed", hint="add --confirmed, or leave out --library")
    if folder is None:
        raise UsageError(
            "train needs a folder of people",
            hint="faceclust train DIR, or faceclust train --confirmed for your library",
        )
    found = expand_user(folder)
    if not found.is_dir():
        what = "is not a folder" if found.exists() else "does not exist"
        raise UsageError(f"{found} {what}", hint="DIR holds a folder for each person, or a train.rec")
    return found, None


def _run(source: Path | Sequence[LibraryFace], options: TrainingOptions, name: str, **others: Any) -> TrainingReport:
    from faceclust.training.run import run_training  # loads torch, for this command only

    with stop_on_interrupt("stopping after this step; press Ctrl-C again to abort") as should_stop:
        return run_training(source, options, name, progress=TerminalProgress(), should_stop=should_stop, **others)


def _print_report(report: TrainingReport, *, as_json: bool, in_library: bool) -> None:
    if as_json:
        from faceclust.training.report import training_record  # loads the measurements

        print_json(training_record(report))
    else:
        print_training(report, in_library=in_library)


def _command_to_resume() -> str:
    """Return the command that was typed, with --resume."""
    typed = [word for word in sys.argv[1:] if word != "--resume"]
    program = ["faceclust"]
    if "TORCHELASTIC_RUN_ID" in os.environ:
        program = ["torchrun", "--nproc-per-node", os.environ.get("LOCAL_WORLD_SIZE", "1"), "-m", "faceclust"]
    return shlex.join([*program, *typed, "--resume"])
