"""The questions of `faceclust label`, one group after the other."""

from __future__ import annotations

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.formatted_text import HTML
from rich.console import Console
from rich.text import Text

from faceclust.cli.common import count
from faceclust.cli.pictures import face_strip, faces_that_fit
from faceclust.library import Library
from faceclust.outputs.report import date_range, pictured_faces
from faceclust.people.describe import describe
from faceclust.types import Person

_KEYS = "Enter skip · i ignore · u undo · q stop"


class Interview:
    """Asks who each group is until there is none left or the user stops."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._console = Console(highlight=False)
        self._session: PromptSession[str] = PromptSession()
        self._skipped: set[str] = set()  # ids of groups passed over, until the interview ends
        self._answered = 0
        self.interrupted = False  # by Ctrl-C

    def run(self) -> int:
        """Gives the number of answers saved."""
        while True:
            groups = [group for group in self._library.unnamed_groups() if group.id not in self._skipped]
            if not groups:
                self._console.print("No more groups to ask about.")
                return self._answered
            shown = self._show(groups[0], len(groups))
            try:
                answer = self._ask()
            except KeyboardInterrupt:
                self.interrupted = True
                return self._answered
            except EOFError:
                return self._answered
            if answer.casefold() in ("q", "quit", "exit"):
                return self._answered
            self._take(answer, groups[0], shown)

    def _show(self, group: Person, left: int) -> list[str]:
        """Print the question; gives the face ids of the faces pictured."""
        library, console = self._library, self._console
        places = pictured_faces(group, library.places_of, faces_that_fit(console))
        pictures = library.pictures(places)
        photos = {place.photo for face in group.face_ids for place in library.places_of[face]}
        years = date_range(place.taken_at for face in group.face_ids for place in library.places_of[face])
        facts = f"{count(len(group.face_ids), 'face')} on {count(len(photos), 'photo')}"
        console.rule(Text(f"group {group.clusters[0]}, {left} to go"), align="left")
        if pictures:
            console.print(
                face_strip([pictures[place.face_id] for place in places if place.face_id in pictures], console)
            )
        else:
            console.print(Text("(the photos of these faces cannot be read now)"))
        console.print(Text(f"{facts} · {years}" if years else facts))
        return [place.face_id for place in places if place.face_id in pictures]

    def _ask(self) -> str:
        names = [person.name for person in self._library.people() if person.name]
        completer = WordCompleter(names, ignore_case=True, sentence=True, match_middle=True)
        prompt = HTML("<b>Who is this?</b> <style fg='ansibrightblack'>({})</style> ").format(_KEYS)
        # Room for four names keeps the pictures on a screen of 24 lines.
        return self._session.prompt(prompt, completer=completer, reserve_space_for_menu=4).strip()

    def _take(self, answer: str, group: Person, shown: list[str]) -> None:
        if not answer:
            self._skipped.add(group.id)
        elif answer == "i":
            self._library.ignore(group.face_ids)
            self._answered += 1
        elif answer == "u":
            undone = self._library.undo()
            self._skipped.clear()
            self._answered -= self._answered > 0 and undone is not None
            self._console.print(Text(f"taken back: {describe(undone)}" if undone else "nothing to take back"))
        elif len(answer) == 1 and answer.isascii():
            self._console.print(Text(f"{answer!r} is no answer: {_KEYS}, or a name of two letters or more"))
        else:
            event = self._library.name(group.face_ids, answer, shown=shown)
            self._answered += 1
            self._console.print(Text(f"saved: {describe(event)}"))
