"""The screen of `faceclust label`: draws the questions, reads the keys."""

from __future__ import annotations

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import WordCompleter
from rich.console import Console
from rich.text import Text

from faceclust.cli.terminal.pictures import face_strip, faces_that_fit
from faceclust.cli.terminal.text import count
from faceclust.cli.terminal.viewer import show_photo
from faceclust.errors import UsageError
from faceclust.interview.presenter import Asked
from faceclust.interview.questions import Kind
from faceclust.interview.session import Interview, parse_answer
from faceclust.library.library import Library

_KEYS = {
    Kind.WHO: "a name · Enter later · n nobody I know · ? more",
    Kind.TOO: "y yes · n no · a name · Enter later · ? more",
    Kind.ODD: "y all · 2 3 not these · n none · Enter later · ? more",
    Kind.SAME: "y yes · n no · Enter later · ? more",
}
_KEYS_WHICH = "y all · 2 3 not these · n none · Enter later · ? more"
_HELP = {
    Kind.WHO: """\
a name   this is who it is; Tab completes names you gave before
n        nobody I know: never asked again
2 3      the faces 2 and 3 do not belong to the others; also 2,3 and 2-4
2 3 Anna the faces 2 and 3 do not belong to the others, who are Anna""",
    Kind.TOO: """\
y        yes, all of them
n        no, none of them ("nobody I know" can be said when asked who it is)
2 3      all but the faces 2 and 3
a name   it is somebody else (where one group is asked about)""",
    Kind.ODD: """\
y        yes, all of them
2 3      all but the faces 2 and 3
n        none of them""",
    Kind.SAME: """\
y        yes: they are made one
n        no: never asked again""",
}
_HELP_ALWAYS = """\
Enter    later: asked again the next time
b        back to the question before; its answer is taken back
u        undo the last answer; again for the one before it
o, o 2   open the photo, of face 2
q        quit; the next time goes on from here"""


class Screen:
    """Asks until there is no question or the user stops."""

    def __init__(self, library: Library, *, thorough: bool) -> None:
        self._library, self._thorough = library, thorough
        self._console = Console(highlight=False)
        self._session: PromptSession[str] = PromptSession()
        self._interview = Interview(library, row=faces_that_fit(self._console), thorough=thorough)
        self.interrupted = False  # by Ctrl-C

    @property
    def answered(self) -> int:
        """The answers saved and not taken back."""
        return self._interview.answered

    def run(self) -> None:
        """Until there is nothing more to ask, or the user stops."""
        self._library.progress.start("comparing faces", None)
        first = self._interview.ask()
        self._library.progress.finish()
        while asked := first or self._interview.ask():
            first = None
            self._draw(asked)
            try:
                while not self._take(asked, self._read(asked)):
                    pass
            except KeyboardInterrupt:
                self.interrupted = True
                return
            except EOFError:
                return
        put_off = self._interview.put_off
        later = f" {count(put_off, 'question')} put off: faceclust label asks again." if put_off else ""
        self._console.print(f"No more questions.{later}")
        if not self._thorough:
            self._console.print("(faceclust label --thorough asks about single faces and unlikely matches, too)")

    def _draw(self, asked: Asked) -> None:
        console = self._console
        pictures = self._library.pictures([picture.place for picture in asked.pictures])
        left = f"{count(self.answered, 'answer')}, {count(asked.left, 'question')} left"
        console.rule(Text(left), align="left")
        console.print(
            face_strip([(pictures.get(p.place.face_id), p.caption) for p in asked.pictures], console), markup=False
        )
        console.print(Text.assemble((asked.words, "bold"), f"  {asked.facts}"))

    def _read(self, asked: Asked) -> str:
        kind = asked.question.kind
        keys = _KEYS_WHICH if kind is Kind.TOO and not asked.takes_a_name else _KEYS[kind]
        if kind is Kind.ODD and len(asked.numbered) == 1:
            keys = _KEYS[Kind.SAME]
        names = [person.label for person in self._library.people()] if asked.takes_a_name else []
        completer = WordCompleter(names, ignore_case=True, sentence=True, match_middle=True)
        # Room for four names keeps the pictures on a screen of 24 lines.
        return self._session.prompt(
            [("fg:ansibrightblack", f"({keys})"), ("", "\n"), ("bold", "> ")],
            completer=completer,
            reserve_space_for_menu=4,
        ).strip()

    def _take(self, asked: Asked, text: str) -> bool:
        """Whether the answer leads to another question."""
        word, _, number = text.partition(" ")
        if text.casefold() in ("q", "quit", "exit"):
            raise EOFError
        if text in ("?", "help"):
            self._say(f"{_HELP[asked.question.kind]}\n{_HELP_ALWAYS}")
            return False
        try:
            if word == "o" and parse_answer(number, len(asked.numbered))[1] == "":
                self._open(asked, number)
                return False
            back, undo = self._interview.back, self._interview.undo
            special = {"b": back, "back": back, "u": undo, "undo": undo}.get(text)
            self._say(special() if special else self._interview.answer(asked, text))
        except UsageError as error:
            self._say(f"{error}" + (f" ({error.hint})" if error.hint else ""))
            return False
        return True

    def _open(self, asked: Asked, number: str) -> None:
        numbers, _ = parse_answer(number, len(asked.numbered))
        face = asked.numbered[numbers[0] - 1 if numbers else 0]
        photo = self._library.root / self._library.places_of[face][0].photo
        self._say(f"{photo}{'' if show_photo(photo) else ': no program here opens photos'}")

    def _say(self, words: str) -> None:
        if words:
            self._console.print(Text(words))
