"""Print, confirm and record a bulk answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from faceclust.cli.common import command_for, print_json
from faceclust.cli.output.answers import record_and_print
from faceclust.cli.terminal.printing import can_ask, confirm, print_line
from faceclust.errors import FaceclustError, UsageError
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.bulk_ignore import BulkPlan
    from faceclust.library.library import Library
    from faceclust.people.events import Event

#: More faces than this are ignored only after a question: they cannot be seen at a glance.
_MAX_UNASKED = 20
#: Photos that are listed as a sample.
_MAX_LISTED = 5
#: By command: the plan for the faces, the question before it, and the action in an error.
_WORDS = {
    "ignore": ("to be ignored", "Ignore these {}?", "ignoring {}"),
    "unignore": ("to be asked about again", "Ask about these {} again?", "asking about {} again"),
}


def execute_plan(
    library: Library,
    command: str,
    plan: BulkPlan,
    record_event: Callable[[], Event],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Show a plan, ask if it is about many faces, record it, and print what was recorded.

    `command`: "ignore" or "unignore". The exit code is 1 if the plan has no faces. Raises UsageError if nobody can
    be asked, FaceclustError if the answer is no.
    """
    if not as_json:
        _print_plan(library, plan, _WORDS[command][0])
    event = None
    if plan.faces and not dry_run:
        if len(plan.faces) > _MAX_UNASKED and not yes:
            _require_consent(command, plan, as_json)
        event = record_event() if as_json else record_and_print(library, False, record_event)
    if as_json:
        print_json(
            {
                "library": str(library.root),
                "faces": len(plan.faces),
                "photos": len(plan.photos),
                "face_ids": list(plan.face_ids),
                "not_grouped": plan.not_grouped,
                "event_id": event.id if event else None,
                "written": event is not None,
            }
        )
    elif event is None and plan.faces:
        print_line("nothing was written: --dry-run")
    if not plan.faces:
        click.get_current_context().exit(1)


def _print_plan(library: Library, plan: BulkPlan, fate: str) -> None:
    if plan.not_grouped:
        print_line(
            f"{format_count(plan.not_grouped, 'new face')} left out: not grouped yet; "
            f"next: {command_for(library.root, 'faceclust cluster')}",
            err=True,
        )
    if not plan.faces:
        print_line(f"there are no such faces {fate}", err=True)
        return
    photos = list(plan.photos.items())
    print_line(f"{fate}: {format_count(len(plan.faces), 'face')} on {format_count(len(photos), 'photo')}")
    step = max(1, len(photos) / _MAX_LISTED)
    sample = [photos[int(i * step)] for i in range(min(len(photos), _MAX_LISTED))]
    for photo, count in sample:
        print_line(f"  {photo}: {format_count(count, 'face')}")
    if len(photos) > len(sample):
        print_line(f"  … and {format_count(len(photos) - len(sample), 'more photo')}")


def _require_consent(command: str, plan: BulkPlan, as_json: bool) -> None:
    count = format_count(len(plan.faces), "face")
    if as_json or not can_ask():
        raise UsageError(
            f"{_WORDS[command][2].format(count)} needs a confirmation, and there is no terminal",
            hint="add --yes, or --dry-run to see a sample",
        )
    if not confirm(_WORDS[command][1].format(count)):
        raise FaceclustError("nothing was written", hint="--folder limits it to the photos of a folder")
