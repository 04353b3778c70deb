"""`faceclust person`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceclust.cli.common import complete_names, json_option, library_option, open_library, print_json
from faceclust.cli.output.facts import fact_lines, facts_record
from faceclust.cli.terminal.printing import print_line, print_lines
from faceclust.errors import UsageError
from faceclust.library.person_facts import record_facts
from faceclust.people.event_text import describe_event, describe_facts

if TYPE_CHECKING:
    from faceclust.library.library import Library
    from faceclust.library.person_facts import FactPlan
    from faceclust.types import PersonFacts


@click.command("person")
@click.argument("name", shell_complete=complete_names)
@click.option("--born", metavar="DATE", help="Date of birth: 1987, 1987-05 or 1987-05-03.")
@click.option("--died", metavar="DATE", help="Date of death.")
@click.option("--note", metavar="TEXT", help="A note of at most 1,000 characters.")
@click.option("--picture", metavar="FACE", help="The face to show for the person everywhere: PHOTO#N or a face id.")
@click.option("--no-picture", is_flag=True, help="Show the best face again.")
@click.option("--favourite/--no-favourite", default=None, help="List the person first, or no longer.")
@click.option("--group", "groups", metavar="GROUP", multiple=True, help="Put the person into a group (repeatable).")
@click.option("--no-group", "no_groups", metavar="GROUP", multiple=True, help="Take the person out (repeatable).")
@click.option("--alias", "aliases", metavar="NAME", multiple=True, help="Another name of the person (repeatable).")
@click.option("--no-alias", "no_aliases", metavar="NAME", multiple=True, help="No longer another name (repeatable).")
@click.option("--dry-run", "-n", is_flag=True, help="Show what would be recorded, and write nothing.")
@library_option
@json_option
def command(name: str, no_picture: bool, dry_run: bool, library: Path | None, as_json: bool, **facts: Any) -> None:
    """Record facts about the person NAME; without options, show them.

    An empty text clears a date or a note: --born ''. Every command takes an alias instead of the name, and finds
    and makes albums of a group of people, such as Family. A date of birth gives ages on photos.

    \b
    Examples:
      faceclust person Anna --born 1987-05-03 --group Family --alias Anni
      faceclust person Anna --picture 2019/picnic.jpg#2 --favourite
      faceclust person Anna --died '' --no-group Family
      faceclust person Anna --json
    """
    if no_picture and facts["picture"]:
        raise UsageError("--picture and --no-picture contradict each other", hint="leave one of the two out")
    if no_picture:
        facts["picture"] = ""
    opened = open_library(library)
    if all(value is None or value == () for value in facts.values()):
        _show_facts(opened, name, as_json)
        return
    plan = opened.plan_facts(name, **facts)
    event = None if dry_run else record_facts(opened, plan)
    if as_json:
        before, after = facts_record(plan.before), facts_record(plan.after)
        print_json(
            {
                "library": str(opened.root),
                "name": plan.name,
                "event_id": event.id if event else None,
                "before": before,
                "facts": after,
            }
            | {"written": event is not None}
        )
    elif plan.before == plan.after:
        print_line(f"{plan.name}: known already; nothing was recorded")
    else:
        print_line(describe_event(event) if event else f"would record: {_describe_plan(plan)}")


def _describe_plan(plan: FactPlan) -> str:
    return describe_facts(plan.name, plan.changes, has_picture=plan.picture is not None)


def _show_facts(library: Library, name: str, as_json: bool) -> None:
    called, facts = library.facts_of(name)
    person = next((person for person in library.people() if person.label == called), None)
    counts = {
        "faces": len(person.face_ids) if person else 0,
        "confirmed": len(person.confirmed) if person else 0,
    }
    if as_json:
        print_json({"library": str(library.root), "name": called, **counts, "facts": facts_record(facts)})
        return
    print_line(called, bold=True)
    lines = fact_lines(facts, _picture_address(library, facts)) or [("", "no facts yet: faceclust person --help")]
    without_faces = "on missing photos" if called in library.answers.missing_names else "none; the facts are kept"
    lines.append(("faces", f"{counts['faces']:,}, {counts['confirmed']:,} confirmed" if person else without_faces))
    width = max(len(word) for word, _ in lines)
    print_lines([f"  {word.ljust(width)}  {text}" for word, text in lines])


def _picture_address(library: Library, facts: PersonFacts) -> str:
    picture = facts.picture
    return library.address_of(picture) if picture is not None and picture in library.occurrences_of else ""
