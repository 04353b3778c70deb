"""Print suggested answers."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from faceclust.cli.common import print_json
from faceclust.cli.terminal.printing import print_line
from faceclust.cli.terminal.table import print_table
from faceclust.text.plural import format_count

if TYPE_CHECKING:
    from faceclust.library.answers_file import AnswersPlan, SuggestedAnswer
    from faceclust.library.library import Library
    from faceclust.people.events import Event

#: Answers that only have to be counted; the reasons of the others are listed.
_MAX_LISTED = 20


def print_suggestions_json(library: Library, plan: AnswersPlan, events: Sequence[Event], *, dry_run: bool) -> None:
    """Print a plan, and what was recorded of it, as JSON."""
    print_json(
        {
            "library": str(library.root),
            "page": plan.page,
            "suggested_by": plan.sender,
            "taken_in": len(events),
            "answers": [_answer_record(answer) for answer in plan.answers],
            "skipped": [
                {"question": one.question, "name": one.name or None, "reason": one.reason} for one in plan.skipped
            ],
            "unanswered": plan.unanswered,
            "written": not dry_run,
        }
    )


def _answer_record(answer: SuggestedAnswer) -> dict[str, Any]:
    return {
        "question": answer.question,
        "is": answer.kind == "name",
        "name": answer.name,
        "faces": list(answer.faces),
        "contradicts": list(answer.contradicts),
    }


def print_suggestions(plan: AnswersPlan, *, dry_run: bool) -> None:
    """Print the names that were suggested, what was left out, and the next step."""
    rows = _list_names(plan.answers)
    if rows:
        print_table((f"{plan.sender} says", "faces", "questions"), rows)
    for answer in plan.answers:
        if answer.contradicts:
            print_line(f"question {answer.question}: {answer.name}, but {', '.join(answer.contradicts)}")
    reasons = Counter(f"{one.name}: {one.reason}" if one.name else one.reason for one in plan.skipped)
    for reason, count in reasons.most_common(_MAX_LISTED):
        print_line(f"left out, {format_count(count, 'answer')}: {reason}")
    if len(reasons) > _MAX_LISTED:
        print_line(f"left out for {format_count(len(reasons) - _MAX_LISTED, 'more reason')}; --json lists all")
    if plan.unanswered:
        print_line(f"{format_count(plan.unanswered, 'question')} left open")
    if not rows:
        print_line("nothing new was suggested")
    elif dry_run:
        print_line("nothing was written; without --dry-run these names become suggestions")
    else:
        print_line("next: faceclust label, which asks about these names first")
        print_line(f"to take all of it back: faceclust undo --source {shlex.quote(plan.sender)}")


def _list_names(answers: Sequence[SuggestedAnswer]) -> list[tuple[str, str, str]]:
    """The suggested names, most faces first, with the numbers of faces and of the questions."""
    faces, numbers = Counter[str](), dict[str, list[int]]()
    for answer in answers:
        label = answer.name if answer.kind == "name" else f"not {answer.name}"
        faces[label] += len(answer.faces)
        numbers.setdefault(label, []).append(answer.question)
    return [(label, f"{count:,}", ", ".join(map(str, numbers[label]))) for label, count in faces.most_common()]
