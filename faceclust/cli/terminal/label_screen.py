"""The screen of `faceclust label`: draw the questions, read the answers."""

from __future__ import annotations

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import DummyCompleter, WordCompleter
from rich.console import Console
from rich.text import Text

from faceclust.cli.doubts import AskedDoubts, NothingSavedError
from faceclust.cli.terminal.pictures import describe_better_pictures, faces_per_screen, render_faces
from faceclust.cli.terminal.viewer import find_viewable_photo, open_photo
from faceclust.errors import UsageError
from faceclust.interview.more_faces import with_more_faces
from faceclust.interview.presenter import PresentedQuestion
from faceclust.interview.questions import QuestionKind
from faceclust.interview.replies import YES_WORDS, parse_answer
from faceclust.interview.session import Interview
from faceclust.library.library import Library
from faceclust.text.plural import format_count
from faceclust.text.visible import make_visible

_KEYS = {
    QuestionKind.WHO: "a name · Enter skip · n nobody I know · m more faces · ? more",
    QuestionKind.ALSO: "y yes · n no · a name · Enter skip · m more faces · ? more",
    QuestionKind.OUTLIER: "y all · 2 3 not these · n none · Enter skip · ? more",
    QuestionKind.SAME: "y yes · n no · Enter skip · m more faces · ? more",
}
_FACE_SELECTION_KEYS = _KEYS[QuestionKind.OUTLIER]
_HELP = {
    QuestionKind.WHO: """\
a name   name this person; Tab completes known names
n        nobody I know: never ask again
2 3      faces 2 and 3 do not belong to the others; also 2,3 and 2-4
2 3 Anna faces 2 and 3 do not belong to the others, who are Anna""",
    QuestionKind.ALSO: """\
y        yes, all of them
n        no, none of them ("nobody I know" is an answer to "Who is this?")
2 3      all but faces 2 and 3
a name   somebody else (only if the question is about one group)""",
    QuestionKind.OUTLIER: """\
y        yes, all of them
2 3      all but faces 2 and 3
n        none of them""",
    QuestionKind.SAME: """\
y        yes: make them one person
n        no: never ask again""",
}
_COMMON_HELP = """\
Enter    skip: ask again the next time
b        back to the previous question, undoing its answer
u, U     undo the last answer, and redo it; repeat for more
m        more faces of this group
s        show the suggested faces of the person named last
r        draw the question again, such as after a change of the window's size
f, f 2   not a face: the face shown, or face 2; never ask again
o, o 2   open the photo of the first face, of face 2
q        quit; the next run continues from here"""


class LabelScreen:
    """Asks questions until none is left or the user stops."""

    def __init__(self, library: Library, *, thorough: bool) -> None:
        self._library, self._thorough = library, thorough
        self._console = Console(highlight=False)
        self._session: PromptSession[str] = PromptSession()
        library.doubts = AskedDoubts(self._ask)
        self._interview = Interview(library, pictures_per_row=faces_per_screen(self._console), thorough=thorough)
        self.interrupted = False  # true after Ctrl-C

    @property
    def answer_count(self) -> int:
        """Answers that were saved and not undone."""
        return self._interview.answer_count

    def run(self) -> None:
        """Ask until no question is left or the user stops."""
        self._library.progress.start("comparing faces", None)
        first = self._interview.next_question()
        self._library.progress.finish()
        self._print_message(describe_better_pictures(self._console))
        try:
            while (prompt := first or self._interview.next_question()) or self._accepts_offer():
                first = None
                if prompt is None:
                    continue
                self._draw_question(prompt)
                shown: PresentedQuestion | None = prompt
                while shown is not None:
                    shown = self._handle_input(shown, self._read_input(shown))
        except KeyboardInterrupt:
            self.interrupted = True
            return
        except EOFError:
            return
        skipped = self._interview.skipped_count
        later = f" faceclust label asks {format_count(skipped, 'skipped question')} again." if skipped else ""
        self._console.print(f"No more questions.{later}")
        if not self._thorough:
            self._console.print("(faceclust label --thorough also asks about single faces and unlikely matches)")

    def _draw_question(self, prompt: PresentedQuestion, first: int = 0) -> None:
        """Draw a question with its pictures from number `first` on, counted from 0."""
        console, shown = self._console, prompt.pictures[first:]
        pictures = self._library.thumbnails([picture.occurrence for picture in shown])
        left = f"{format_count(self.answer_count, 'answer')}, {format_count(prompt.remaining, 'question')} left"
        console.rule(Text(left), align="left")
        console.print(
            render_faces(
                [(pictures.get(p.occurrence.face_id), make_visible(p.caption_with_time)) for p in shown], console
            ),
            markup=False,
        )
        console.print(Text.assemble((make_visible(prompt.text), "bold"), f"  {make_visible(prompt.summary)}"))

    def _read_input(self, prompt: PresentedQuestion) -> str:
        kind = prompt.question.kind
        keys = _FACE_SELECTION_KEYS if kind is QuestionKind.ALSO and not prompt.accepts_name else _KEYS[kind]
        if kind is QuestionKind.OUTLIER and len(prompt.numbered_faces) == 1:
            keys = _KEYS[QuestionKind.SAME]
        people = self._library.people() if prompt.accepts_name else ()
        names = [name for person in people for name in (person.label, *person.facts.aliases)]
        completer = WordCompleter(names, ignore_case=True, sentence=True, match_middle=True)
        # A menu of four names leaves room for the pictures on a screen of 24 lines.
        return self._session.prompt(
            [("fg:ansibrightblack", f"({keys})"), ("", "\n"), ("bold", "> ")],
            completer=completer,
            reserve_space_for_menu=4,
        ).strip()

    def _handle_input(self, prompt: PresentedQuestion, text: str) -> PresentedQuestion | None:
        """Handle what the user typed. Return the question that stays open, perhaps with more faces; None if
        another one follows."""
        word, _, number = text.partition(" ")
        if text.casefold() in ("q", "quit", "exit"):
            raise EOFError
        if text in ("?", "help"):
            self._print_message(f"{_HELP[prompt.question.kind]}\n{_COMMON_HELP}")
            return prompt
        if text in ("m", "r"):
            return self._redraw(prompt, more=text == "m")
        try:
            if word == "o" and parse_answer(number, len(prompt.numbered_faces))[1] == "":
                self._open_photo(prompt, number)
                return prompt
            if text == "s":
                self._interview.show_suggested()
                return None
            back, undo, redo = self._interview.go_back, self._interview.undo, self._interview.redo
            special = {"b": back, "back": back, "u": undo, "undo": undo, "U": redo, "redo": redo}.get(text)
            self._print_message(special() if special else self._interview.answer(prompt, text))
        except (UsageError, NothingSavedError) as error:
            self._print_message(f"{error}" + (f" ({error.hint})" if error.hint else ""))
            return prompt
        return None

    def _redraw(self, prompt: PresentedQuestion, *, more: bool) -> PresentedQuestion:
        """Draw a question again, or the faces that are added to it."""
        larger = with_more_faces(self._library, prompt, faces_per_screen(self._console)) if more else prompt
        if larger is None:
            self._print_message("all faces are shown")
            return prompt
        self._draw_question(larger, first=len(prompt.pictures) if more else 0)
        return larger

    def _accepts_offer(self) -> bool:
        """Offer to show the suggested faces of the person named last, when there are no more questions."""
        offer = self._interview.offer
        if not offer or self._ask(f"{offer} (y, Enter: no)").strip().casefold() not in YES_WORDS:
            return False
        self._interview.show_suggested()
        return True

    def _ask(self, question: str) -> str:
        self._print_message(question)
        return self._session.prompt([("bold", "> ")], completer=DummyCompleter())

    def _open_photo(self, prompt: PresentedQuestion, selection: str) -> None:
        numbers, _ = parse_answer(selection, len(prompt.numbered_faces))
        face = prompt.numbered_faces[numbers[0] - 1 if numbers else 0]
        photo = find_viewable_photo(self._library.roots, self._library.viewable_occurrence(face).photo)
        self._print_message(
            f"{make_visible(str(photo))}{'' if open_photo(photo) else ': no program to open photos was found'}"
        )

    def _print_message(self, text: str) -> None:
        if text:
            self._console.print(Text("\n".join(map(make_visible, text.split("\n")))))
