"""What must hold after a command ran with a fault, compared with runs of it without one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.support.fault_injector import Action, Call, Fault
from tests.support.fault_scenarios import Scenario
from tests.support.fault_world import FaultWorld, Outcome, State, plain_text

#: Files that may stay: those that are locked; a torn line of the journal, in case it is worth something;
#: a folder of models that are tried, for a day.
_STAYS = re.compile(r"\.lock$|/people\.torn$|/models/\.adding-")
#: Files that only save work, so that a command succeeds without them.
_SHORTCUT = re.compile(r"/thumbs/|/seen[^/]*\.json$")
_OWNER_NOTE = re.compile(r"lock\.owner$")
#: A photo that cannot be read stops no command. It is named, and the next run tries it again.
_UNREADABLE_PHOTO = re.compile(r"skipped: \d cannot be read|its faces have no picture")
#: How commands name the files that they left out, before they end with exit code 1.
_SKIPPED = re.compile(r"^(skipped|not removed): ", re.MULTILINE)
_REPORTED = re.compile(r"unreadable|damaged|cannot be read|missing")
#: Files whose content must be that of a run without faults.
_OUTPUT = re.compile(r"^out/(?!caches)(?!.*/\.faceclust-)|\.xmp$")


@dataclass
class Reference:
    """A scenario without faults: before and after, and how its command ends. `stable`: the files that
    have the same content after every run."""

    before: State
    after: State
    outcome: Outcome
    stable: frozenset[str]


def make_reference(world: FaultWorld, scenario: Scenario) -> Reference:
    """Run a scenario twice without faults."""
    world.prepare(scenario)
    before = world.read_state()
    outcomes, states = [], []
    for _ in range(2):
        world.restore()
        outcomes.append(world.run_command(scenario.command, keys=scenario.keys))
        states.append(world.read_state())
    assert outcomes[0].code == 0, outcomes[0]
    assert plain_text(outcomes[0].stdout) == plain_text(outcomes[1].stdout), "two runs print different texts"
    first, second = states
    assert first.files.keys() == second.files.keys(), first.files.keys() ^ second.files.keys()
    stable = frozenset(path for path, content in first.files.items() if second.files[path] == content)
    return Reference(before, first, outcomes[0], stable)


def find_problems(
    world: FaultWorld, scenario: Scenario, reference: Reference, fault: Fault, outcome: Outcome
) -> Iterator[str]:
    """Yield what is wrong after a run with a fault."""
    if photos := world.changed_photos():
        yield f"photos touched: {photos}"
    if scenario.reports_faults and _REPORTED.search(outcome.stdout):
        return
    yield from _exit_problems(scenario, fault, outcome)
    succeeded = outcome.code == 0 and not _UNREADABLE_PHOTO.search(outcome.stdout + outcome.stderr)
    state = reference.before if world.is_unchanged() else world.read_state()
    # A file cannot be removed if that fails: the next command does it.
    is_tidy = fault.action is Action.FAIL and not fault.persists and not outcome.hit.startswith(("unlink", "rmdir"))
    if succeeded:
        yield from _answer_problems(reference, state, outcome)
        if is_tidy:
            # The next command takes over an owner's note that this one could not delete.
            yield from _file_problems(reference, state, may_stay=_OWNER_NOTE)
    if succeeded or world.is_unchanged():
        return
    if is_tidy and (temporary := world.temporary_files()):
        yield f"left behind: {temporary}"
    yield from _state_problems(scenario, reference, fault, outcome, state)
    before, after = reference.before, reference.after
    is_done = state.knowledge == after.knowledge != before.knowledge or (
        state.knowledge == after.knowledge and state.files.keys() == after.files.keys() != before.files.keys()
    )
    yield from _repetition_problems(world, scenario, reference, is_done=is_done, was_killed=outcome.was_killed)


def _exit_problems(scenario: Scenario, fault: Fault, outcome: Outcome) -> Iterator[str]:
    if outcome.code is None:
        yield "it hangs"
    if not outcome.code or (outcome.was_killed and fault.action is not Action.FAIL):
        return
    errors = [line for line in outcome.stderr.splitlines() if line.startswith("error:")]
    if outcome.code < 0:
        yield f"signal {-outcome.code}"
    elif "bug in faceclust" in outcome.stderr or "Traceback" in outcome.stderr:
        yield f"an unexpected error: {outcome.stderr}"
    elif len(errors) != 1 and not (not errors and _SKIPPED.search(outcome.stderr)):
        yield f"{len(errors)} error lines: {outcome.stderr}"
    elif outcome.code not in (1, scenario.error_code):
        yield f"exit code {outcome.code}: {errors[0]}"


def _answer_problems(reference: Reference, state: State, outcome: Outcome) -> Iterator[str]:
    """After exit code 0 everything must be there."""
    if plain_text(outcome.stdout) != plain_text(reference.outcome.stdout):
        yield f"exit code 0 with another answer: {outcome.stdout[-300:]!r}, stderr {outcome.stderr[-300:]!r}"
    if state.knowledge != reference.after.knowledge:
        yield f"exit code 0 with another result; stderr {outcome.stderr[-300:]!r}"


def _file_problems(reference: Reference, state: State, may_stay: re.Pattern[str] | None = None) -> Iterator[str]:
    missing = reference.after.files.keys() - state.files.keys()
    if lost := [path for path in sorted(missing) if not _SHORTCUT.search(path)]:
        yield f"missing: {lost}"
    extra = state.files.keys() - reference.after.files.keys()
    if left := [path for path in sorted(extra) if not (_STAYS.search(path) or (may_stay and may_stay.search(path)))]:
        yield f"left behind: {left}"
    different = [
        path
        for path in reference.stable & state.files.keys()
        if _OUTPUT.search(path) and state.files[path] != reference.after.files[path]
    ]
    if different:
        yield f"other content: {sorted(different)}"


def _state_problems(
    scenario: Scenario, reference: Reference, fault: Fault, outcome: Outcome, state: State
) -> Iterator[str]:
    before, after = reference.before, reference.after
    is_failed_change = Call.SYNC in fault.calls and fault.action is Action.FAIL and not scenario.in_steps
    is_saved = state.answers == after.answers != before.answers
    if is_failed_change and is_saved and "may not be saved" not in outcome.stderr:
        yield "it reports a failure, but the answer is saved"
    for what, now, earlier, later in (
        ("names", state.answers, before.answers, after.answers),
        ("rows", state.rows, before.rows, after.rows),
    ):
        if scenario.in_steps:
            now, earlier, later = (tuple(map(_without_group, lines)) for lines in (now, earlier, later))
            if extra := set(now) - {*earlier, *later}:
                yield f"other {what}: {extra}"
            if lost := set(earlier) & set(later) - set(now):
                yield f"lost {what}: {lost}"
        elif now not in (earlier, later):
            yield f"other {what}: {set(now) ^ set(later)}"


def _without_group(line: str) -> str:
    """Return a row of `export` without group and person, which a step may have changed; an answer as it is."""
    return line if "{" in line else ",".join(line.split(",")[:6])


def _repetition_problems(
    world: FaultWorld, scenario: Scenario, reference: Reference, *, is_done: bool, was_killed: bool
) -> Iterator[str]:
    """The same command must complete the work, and `cache prune` remove what a killed one left."""
    if not is_done or scenario.in_steps:
        outcome = world.run_command(scenario.command, keys=scenario.keys)
        if outcome.code != 0 and not is_done:
            yield f"repeated: exit code {outcome.code}, {outcome.stderr}"
    if is_done or was_killed or world.temporary_files():
        world.run_command("cache prune -l {library}")
    state = world.read_state()
    # What is known already need not be said again, as in an import that goes on.
    done, expected = set(state.answers), set(reference.after.answers)
    is_same = done <= expected if scenario.in_steps else done == expected
    if not is_same or state.rows != reference.after.rows:
        yield "repeated: another result"
    yield from (f"repeated: {problem}" for problem in _file_problems(reference, state))
