"""Replies to questions: typed as text or given as values, checked, and recorded as one event each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from faceclust.errors import UsageError
from faceclust.interview.presenter import PresentedQuestion
from faceclust.interview.questions import QuestionKind
from faceclust.library.library import Library
from faceclust.people.events import Event

YES_WORDS, NO_WORDS = ("y", "yes"), ("n", "no", "none")
#: Words that are hardly anybody's name. In quotes they are accepted as names.
_RESERVED_WORDS = frozenset(
    [*YES_WORDS, *NO_WORDS, "nobody", "unknown", "skip", "later", "all", "help", "undo", "redo", "back", "open"]
)
#: Another answer and something else: "n Anna", "?x", "-x". In quotes, they are names, too.
_MIXED_ANSWER = re.compile(
    r"(?:[ynbufoqsYNU]|(?i:yes|no|none|undo|redo|back|open|skip))\s.*|[-?!/+*=<>|~#,;:%$\\\[\]{}].*"
)


@dataclass(frozen=True)
class Reply:
    """A reply to a question, which has at least one part.

    `left_out`: numbered faces of the question that do not belong. `name`: who the others are. `verdict`:
    yes or no; no to "Who is this?" means nobody the user knows. `not_faces`: numbered pictures that show no face,
    which come alone.
    """

    left_out: tuple[str, ...] = ()
    name: str | None = None
    verdict: bool | None = None
    not_faces: tuple[str, ...] = ()


# -- text → reply ---------------------------------------------------------------


def parse_reply(question: PresentedQuestion, text: str) -> Reply:
    """Parse what was typed. Raises UsageError if it is not a reply to this question."""
    if (marked := _parse_not_a_face(text, len(question.numbered_faces))) is not None:
        return Reply(not_faces=tuple(question.numbered_faces[number - 1] for number in marked))
    numbers, rest = parse_answer(text, len(question.numbered_faces))
    left_out = tuple(question.numbered_faces[number - 1] for number in numbers)
    word, kind = rest.casefold(), question.question.kind
    if kind is QuestionKind.WHO and not numbers and rest in ("n", "N"):
        return Reply(verdict=False)
    if kind is QuestionKind.WHO or (question.accepts_name and rest and word not in (*YES_WORDS, *NO_WORDS)):
        return Reply(left_out, unquote_name(rest) if rest else None)
    if word not in (*YES_WORDS, *NO_WORDS, "") or bool(numbers) == bool(rest):
        raise UsageError(f"{text!r} does not answer this question", hint="type y, n or numbers; ? shows help")
    return Reply(verdict=word in YES_WORDS) if word else Reply(left_out)


def _parse_not_a_face(text: str, count: int) -> list[int] | None:
    """Return the numbers of the pictures that show no face; None for another answer.

    Raises UsageError if numbers are missing and several faces are shown.
    """
    word, _, selection = text.partition(" ")
    if word != "f":
        return None
    numbers, rest = parse_answer(selection, count)
    if rest:
        return None
    if not numbers and count > 1:
        raise UsageError("which of them is not a face? type its number, too", hint="f 2, or f 2 3")
    return numbers or [1]


def parse_answer(text: str, count: int) -> tuple[list[int], str]:
    """Split an answer into the picture numbers it begins with and the rest.

    Numbers are given as "2 4", "2,4", "1-3" or "2 and 4". Raises UsageError for numbers above `count`.
    """
    numbers: list[int] = []
    rest = text.strip()
    while match := re.match(r"(?:(?:and|&)\s+)?(\d{1,9})(?:-(\d{1,9}))?(?:[\s,;]+|$)", rest):
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= count:
            raise UsageError(
                f"there is no face {match[0].strip(' ,;')}",
                hint='put a name that begins with a number in "quotes"',
            )
        numbers += range(first, last + 1)
        rest = rest[match.end() :]
    return list(dict.fromkeys(numbers)), rest


def unquote_name(text: str, *, is_alone: bool = False) -> str:
    """Return the name without quotes. Raises UsageError for an unquoted text that is hardly a name.

    `is_alone`: it was typed in a field for names, in which nothing else can be mixed with it.
    """
    if quoted := re.fullmatch('"(.*)"', text):
        return quoted[1]
    if text.isascii() and (len(text) == 1 or text.casefold() in _RESERVED_WORDS):
        raise UsageError(f"{text!r} is not a name", hint=f'? shows what to type; "{text}" in quotes is a name')
    if is_alone:
        return text
    if text and re.fullmatch(r"[\d\s,;&-]+", text):
        raise UsageError(f"{text!r} is not a name", hint="? shows how to type numbers of faces")
    if _MIXED_ANSWER.fullmatch(text):
        raise UsageError(f"{text!r} is not a name", hint=f'type one of the two; "{text}" in quotes is a name')
    return text


# -- reply → event --------------------------------------------------------------


def record_reply(library: Library, question: PresentedQuestion, reply: Reply) -> Event:
    """Record a reply as one event. Raises UsageError if it does not answer the question."""
    kind, shown = question.question.kind, question.numbered_faces
    if not set(reply.left_out) <= set(shown):
        raise UsageError("a face that is not shown cannot be left out of this question")
    if reply.verdict is not None and (reply.left_out or reply.name is not None):
        raise UsageError("answer yes or no, or else leave faces out or type a name")
    if reply.name is not None and not question.accepts_name:
        raise UsageError("this question is not answered by a name", hint="answer yes or no, or leave faces out")
    if reply.not_faces:
        return library.remove_faces(reply.not_faces)
    if kind is QuestionKind.WHO or reply.name is not None:
        return _record_name(library, question, reply)
    if kind is QuestionKind.SAME:
        return _record_same_person(library, question, reply)
    if reply.verdict is None and not reply.left_out:
        raise UsageError("this is no answer", hint="answer yes or no, or leave faces out")
    no = set(shown) if reply.verdict is False else set(reply.left_out)
    record = _record_single_candidate if question.accepts_name else _record_selection
    return record(library, question, no)


def _record_name(library: Library, question: PresentedQuestion, reply: Reply) -> Event:
    """Name a group, ignore it, or split off the faces left out, with or without naming the rest."""
    candidate = question.question.candidates[0]
    seen = [face for face in question.numbered_faces if face not in reply.left_out]
    if reply.verdict is False:
        return library.ignore(candidate.faces)
    if reply.verdict is True or not (reply.left_out or reply.name is not None):
        raise UsageError("who is it?", hint="type a name, or n if you know nobody here")
    if not seen:
        raise UsageError("at least one face has to stay", hint="type n if you know nobody here")
    if reply.name is None:
        return library.split(reply.left_out, seen)
    faces = faces_staying(library, candidate.faces, reply.left_out, seen)
    return library.name(faces, reply.name, confirmed=seen, rejected=reply.left_out)


def _record_same_person(library: Library, question: PresentedQuestion, reply: Reply) -> Event:
    (small, large), names = question.question.candidates, question.question.names
    if reply.verdict is None:
        raise UsageError("are they the same person? type y or n")
    if reply.verdict:
        return library.merge(*names) if names else library.link([*small.faces, *large.faces])
    shown = set(question.numbered_faces)
    return library.split(sorted(shown.intersection(small.faces)), sorted(shown.intersection(large.faces)))


def _record_single_candidate(library: Library, question: PresentedQuestion, no: set[str]) -> Event:
    """Confirm or reject one group or face as a person. `no`: the shown faces that are not."""
    name, candidate = question.question.names[0], question.question.candidates[0]
    seen = [face for face in question.numbered_faces if face not in no]
    if not seen:
        return library.reject(sorted(no), name)
    faces = faces_staying(library, candidate.faces, sorted(no), seen)
    return library.name(faces, name, confirmed=seen, rejected=sorted(no))


def _record_selection(library: Library, question: PresentedQuestion, no: set[str]) -> Event:
    """Confirm the candidates that are a person; each picture stands for its candidate."""
    name = question.question.names[0]
    pairs = zip(question.question.candidates, question.numbered_faces, strict=True)
    yes = [(candidate, face) for candidate, face in pairs if face not in no]
    if not yes:
        # What somebody else suggested goes as a whole: those who are not shown are no more likely to be the person.
        hidden = question.question.unshown_faces if question.question.suggested_by else ()
        return library.reject(sorted({*no, *hidden}), name)
    faces, shown = [face for candidate, _ in yes for face in candidate.faces], [face for _, face in yes]
    faces += faces_staying(library, question.question.unshown_faces, sorted(no), shown)
    return library.name(faces, name, confirmed=shown, rejected=sorted(no))


def name_groups(
    library: Library,
    groups: Iterable[int],
    name: str,
    *,
    faces: Sequence[str] = (),
    seen: Sequence[str] = (),
    left_out: Sequence[str] = (),
) -> Event:
    """Name groups and single `faces` in one event.

    Of the groups, the `seen` faces are confirmed and the others suggested. Those `left_out` are not this person,
    and the faces that leave the groups with them stay without a name. Raises UsageError for an unknown group.
    """
    named = dict.fromkeys(faces)
    for number in groups:
        in_group = library.faces_in_group(number)
        leaving = [face for face in in_group if face in left_out]
        staying = [face for face in in_group if face in seen and face not in left_out]
        if leaving and not staying:
            staying = [face for face in in_group if face not in left_out]
        if leaving and not staying:
            raise UsageError(f"no face of group {number} would stay", hint="take the group out instead of its faces")
        named |= dict.fromkeys(faces_staying(library, in_group, leaving, staying))
    if unknown := [face for face in (*seen, *left_out) if face not in library.occurrences_of]:
        raise UsageError(f"there is no face {unknown[0]}")
    for face in left_out:
        named.pop(face, None)
    confirmed = [face for face in named if face in seen or face in faces]
    return library.name(list(named), name, confirmed=confirmed, rejected=left_out)


def faces_staying(library: Library, faces: Sequence[str], leaving: Sequence[str], seen: Sequence[str]) -> list[str]:
    """Return the faces that stay with the `seen` ones after `leaving` are split off."""
    if not leaving:
        return list(faces)
    staying = set(library.faces_remaining(leaving, seen))
    return [face for face in faces if face in staying]


def faces_also_removed(question: PresentedQuestion, event: Event) -> list[str]:
    """Return the faces that left a group with those declared not to belong."""
    if event.name is None or not event.rest or not question.accepts_name:
        return []
    mentioned = {face.face_id for face in event.all_faces}
    return [face for face in question.question.candidates[0].faces if face not in mentioned]
