"""The library behind the page: read and answered on one thread, with a position that pages compare.

A `Library` is not thread-safe, so that everything that touches it runs on one thread. The position
stands for the state that a page shows. It changes with every line of the journal, whoever wrote it, and
with every clustering and scan.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from faceclust.errors import FaceclustError, UsageError
from faceclust.interview.presenter import PresentedQuestion
from faceclust.interview.session import Interview
from faceclust.library.library import Library
from faceclust.people.events import Event
from faceclust.progress import Progress

#: Pictures of a question: a large one and a dozen.
PICTURES = 13
#: Seconds between two looks at the files that other processes may have changed.
POLL_SECONDS = 0.5
_MAX_NOTES, _MAX_QUESTIONS = 20, 100
#: Events after which the faces of the library are others.
_FACE_KINDS = frozenset({"add", "move", "forget"})

T = TypeVar("T")
#: Device, inode, size and time of a file; None if it is missing.
FileStatus = tuple[int, int, int, int] | None


class StaleAnswerError(FaceclustError):
    """The library is not as the page showed it any more; `position` is the present one."""

    def __init__(self, position: str) -> None:
        super().__init__("something has changed meanwhile: nothing was saved")
        self.position = position


class WebSession:
    """One library and one interview for all the pages that are open.

    `thorough`: see `Interview`. Methods are called from the event loop; `done` is set when a page asks
    the server to end. `library`, `interview` and `views` may be used on the library's thread only, by `run`.
    """

    def __init__(self, library: Library, *, thorough: bool = False) -> None:
        self.library = library
        self.notes: list[str] = []
        library.progress = _KeptNotes(library.progress, self.notes)
        self.interview = Interview(library, pictures_per_row=PICTURES, thorough=thorough)
        self.done = asyncio.Event()
        self.position = ""
        #: Values worked out for the present position, see `keep`.
        self._kept: dict[str, Any] = {}
        self._kept_longer: tuple[object, dict[str, tuple[object, Any]]] = (None, {})
        self._questions: OrderedDict[str, PresentedQuestion] = OrderedDict()
        self._statuses: dict[Path, FileStatus] = {}
        self._face_events: frozenset[str] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="library")
        self._subscribers: set[asyncio.Event] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._refreshes: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def load_ahead(self) -> None:
        """Start to read the library, while the browser starts."""
        self._thread.submit(self._load)

    # -- on the event loop ------------------------------------------------------

    async def run(self, function: Callable[[], T]) -> T:
        """Call a function on the library's thread, after reading what other processes have written."""

        def call() -> T:
            self._catch_up()
            return function()

        before = self.position
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, call)
        finally:
            if self.position != before:
                self._tell_subscribers()

    async def answer(self, position: str, record: Callable[[], T]) -> tuple[T, str]:
        """Record an answer on the library's thread, unless the position is not the present one any more.

        Return what `record` returns, and the position after it. The answer is on disk then; persons
        are worked out after that. Raises StaleAnswerError, and what `record` raises.
        """

        def call() -> tuple[T, str]:
            if position != self.position:
                raise StaleAnswerError(self.position)
            self.library.guard_answer = self._guard_answer
            try:
                result = record()
            except StaleAnswerError:
                self._catch_up()
                raise StaleAnswerError(self.position) from None
            finally:
                self.library.guard_answer = contextlib.nullcontext
            self._notice_drawn_faces()
            return result, self.position

        result = await self.run(call)
        refresh = asyncio.ensure_future(self._refresh(self.position))
        self._refreshes.add(refresh)
        refresh.add_done_callback(self._finish_refresh)
        return result

    async def _refresh(self, position: str) -> None:
        """Work out the persons, which every request needs; the next question is left to the page that shows it."""
        if self.position == position:
            await self.run(lambda: self.library.person_of)

    def _finish_refresh(self, task: asyncio.Task[None]) -> None:
        self._refreshes.discard(task)
        if not task.cancelled():
            task.exception()  # the next request raises it again

    @property
    def page_count(self) -> int:
        """The number of pages that are open."""
        return len(self._subscribers)

    async def changes(self, heartbeat: float) -> AsyncIterator[str | None]:
        """Yield the position now and after each change, None after `heartbeat` seconds without one, until `close`."""
        changed = asyncio.Event()
        self._subscribers.add(changed)
        if self._watcher is None:
            self._watcher = asyncio.create_task(self._watch())
        shown = ""
        try:
            await self.run(lambda: None)
            while not self._is_closed:
                if self.position != shown:
                    yield (shown := self.position)
                changed.clear()
                if self._is_closed or self.position != shown:
                    continue
                try:
                    await asyncio.wait_for(changed.wait(), heartbeat)
                except TimeoutError:
                    yield None
        finally:
            self._subscribers.discard(changed)

    async def _watch(self) -> None:
        """Look for changes by other processes as long as a page is open."""
        while not self._is_closed:
            await asyncio.sleep(POLL_SECONDS)
            if self._subscribers:
                with contextlib.suppress(FaceclustError, OSError):  # the next request says why
                    await self.run(lambda: None)

    def _tell_subscribers(self) -> None:
        for subscriber in self._subscribers:
            subscriber.set()

    async def close(self) -> None:
        """End the streams of changes, and wait for the library's thread."""
        self._is_closed = True
        self._tell_subscribers()
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        await asyncio.gather(*self._refreshes, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)

    # -- on the library's thread ------------------------------------------------

    def _load(self) -> None:
        with contextlib.suppress(FaceclustError):  # the first request says why
            self._catch_up()
            _ = self.library.person_of
        gc.collect()
        gc.freeze()  # with 100,000 faces, looking through them for garbage would take 0.2 s every now and then

    def keep(self, key: str, compute: Callable[[], T]) -> T:
        """Return a value, worked out once for each position."""
        if key not in self._kept:
            self._kept[key] = compute()
        value: T = self._kept[key]
        return value

    def keep_longer(self, key: str, faces: object, compute: Callable[[], T]) -> T:
        """Return a value, worked out again if these `faces` of a person or group are others than the last time."""
        occurrences = self.library.occurrences_of
        if self._kept_longer[0] is not occurrences:
            self._kept_longer = occurrences, {}
        kept = self._kept_longer[1]
        if key not in kept or kept[key][0] != faces:
            kept[key] = faces, compute()
        value: T = kept[key][1]
        return value

    @property
    def grouping(self) -> str:
        """What is the same as long as the numbers of groups stand for the same groups."""
        return _digest(self._statuses.get(self.library.home.existing_clusters()))

    def question(self) -> PresentedQuestion | None:
        """Return the next question of the interview."""
        return self.keep("question", self.interview.next_question)

    def change_question(self) -> None:
        """Work out the next question again, after one was skipped."""
        self._kept.pop("question", None)

    def show_more(self, question: PresentedQuestion) -> None:
        """Show the next question with more pictures."""
        self._kept["question"] = question

    def remember_question(self, question: PresentedQuestion) -> str:
        """Return the id of a question, by which `find_question` finds it with the pictures that it was shown with."""
        parts = [question.question.kind.value, *question.question.names, *question.numbered_faces]
        parts += sorted(question.question.keys)
        id = hashlib.blake2b("\n".join(parts).encode(), digest_size=8).hexdigest()
        self._questions[id] = question
        while len(self._questions) > _MAX_QUESTIONS:
            self._questions.popitem(last=False)
        return id

    def find_question(self, id: str) -> PresentedQuestion:
        """Return a question shown since the last change. Raises UsageError for another id."""
        if id not in self._questions:
            raise UsageError("this question is not open any more", hint="load the page again")
        return self._questions[id]

    def note_answer(self, event: Event) -> None:
        """Take in an answer that was recorded by a verb of the library, not by the interview."""
        self.interview.forget_repeated()
        self.interview.note_answer(event)

    def _catch_up(self) -> None:
        """Read again what other processes have changed since."""
        known, now = self._statuses, self._read_statuses()
        if now == known:
            return
        changed = {path for path in known.keys() | now.keys() if known.get(path) != now.get(path)}
        journals = {self.library.home.journal, *(path for path, _ in self.library.journal.others)}
        if changed <= journals:
            self.library.invalidate_people()
        elif known:
            self.library.reopen_journal()
        if self._notice_drawn_faces():
            self.library.invalidate()  # another process has changed the caches, too
        self._move_to(now)
        self.interview.forget_repeated()

    def _notice_drawn_faces(self) -> bool:
        """Return whether there are other events than before that change the faces."""
        before = self._face_events
        events = self.library.journal.events()
        self._face_events = frozenset(event.id for event in events if event.kind in _FACE_KINDS)
        return before is not None and self._face_events != before

    def _move_to(self, statuses: dict[Path, FileStatus]) -> None:
        self._statuses = statuses
        self._kept.clear()
        self._questions.clear()
        self.position = _digest(sorted(statuses.items()))

    def _read_statuses(self) -> dict[Path, FileStatus]:
        home, library = self.library.home, self.library
        journals = [home.journal, *(path for path, _ in library.journal.others)]
        files = [home.existing_clusters(), home.last_scan_file, home.config_file]
        return {path: _read_status(path) for path in (*journals, *files)}

    @contextmanager
    def _guard_answer(self) -> Iterator[None]:
        """Refuse an answer if the journal has changed, and take in the line of this answer alone."""
        home = self.library.home
        journals = [home.journal, *(path for path, _ in self.library.journal.others)]
        if any(_read_status(path) != self._statuses.get(path) for path in journals):
            raise StaleAnswerError(self.position)
        try:
            yield
        finally:
            after = _read_status(home.journal)
            if after != self._statuses.get(home.journal):
                self._move_to({**self._statuses, home.journal: after})


class _KeptNotes:
    """Passes progress on, and keeps the last notes for the page."""

    def __init__(self, progress: Progress, notes: list[str]) -> None:
        self._notes = notes
        self.start, self.advance, self.finish, self._pass_on = (
            progress.start,
            progress.advance,
            progress.finish,
            progress.note,
        )

    def note(self, message: str) -> None:
        """Keep a message and pass it on."""
        self._notes.append(message)
        del self._notes[:-_MAX_NOTES]
        self._pass_on(message)


def _digest(value: object) -> str:
    return hashlib.blake2b(repr(value).encode(errors="surrogateescape"), digest_size=8).hexdigest()


def _read_status(path: Path) -> FileStatus:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
