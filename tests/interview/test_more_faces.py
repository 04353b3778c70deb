"""More faces of a group, before a question about it is answered."""

from __future__ import annotations

from faceclust import Library
from faceclust.interview.more_faces import with_more_faces
from faceclust.interview.session import Interview


def test_more_faces_are_numbered_on_and_count_as_seen(library: Library) -> None:
    interview = Interview(library, pictures_per_row=2)
    first = interview.next_question()
    assert first is not None and len(first.numbered_faces) == 2
    more = with_more_faces(library, first, 3)
    assert more is not None and more.numbered_faces[:2] == first.numbered_faces
    assert [picture.caption for picture in more.pictures] == ["1", "2", "3", "4", "5"]
    assert set(more.numbered_faces) <= set(first.question.candidates[0].faces)
    rest = with_more_faces(library, more, 3)
    assert rest is not None and len(set(rest.numbered_faces)) == 6
    assert with_more_faces(library, rest, 3) is None
    assert "(5 faces, 4 of them confirmed), not 1 other" in interview.answer(more, "5 Anna")
    assert len(Library(library.root).find_person("Anna").confirmed) == 4


def test_questions_about_two_groups_show_more_of_both(library: Library) -> None:
    library.cluster(0.02)
    interview = Interview(library, pictures_per_row=2, thorough=True)
    kinds = set()
    while question := interview.next_question():
        more = with_more_faces(library, question, 2)
        faces = {face for candidate in question.question.candidates for face in candidate.faces}
        kinds.add(question.question.kind)
        if more is not None:
            assert question.accepts_name or question.question.kind.name == "SAME"
            assert set(more.numbered_faces) <= faces and len(more.numbered_faces) > len(question.numbered_faces)
        interview.answer(question, "Anna" if question.accepts_name and len(kinds) == 1 else "")
    assert len(kinds) > 1
