"""Which names without a found face become faces drawn by hand, or people on the whole photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from faceclust.importers.additions import MAX_FACES_A_PHOTO
from faceclust.importers.collect import CollectedNames
from faceclust.importers.library_names import HandAnswers, LibraryNames
from faceclust.importers.plan import FaceAddition, ImportPlan
from faceclust.importers.reconcile import reconcile
from faceclust.importers.values import Frame, PhotoNames, Region
from faceclust.people.replay import ReplayedAnswers
from faceclust.types import WHOLE_PHOTO, Box, FaceOccurrence, PhotoInfo
from faceclust.xmp.values import stored_box

SIZE = (4000, 3000)
FOUND: Box = (0.1, 0.1, 0.3, 0.4)  # a detected face
FREE: Box = (0.6, 0.5, 0.8, 0.9)  # no face was found there
SIDECAR = PhotoNames("a.jpg", "XMP sidecars", "a.jpg.xmp", "mwg", applied_to=SIZE)


def make_known(
    *faces: FaceOccurrence,
    names: Mapping[str, str] | None = None,
    orientation: int = 1,
    answers: HandAnswers | None = None,
) -> LibraryNames:
    """A library with the photos a.jpg and copy.jpg, which have the same content and these faces."""
    photos = {
        name: PhotoInfo(name, "hash", SIZE, orientation, None, None, None, None) for name in ("a.jpg", "copy.jpg")
    }
    on_photo = {name: [replace(face, photo=name) for face in faces] for name in photos}
    resolved = ReplayedAnswers(labels={}, rejected={"0": frozenset({"Dora"})})
    spelling = {name.casefold(): name for name in (names or {}).values()}
    return LibraryNames(
        photos, on_photo, resolved, spelling, current_names=names or {}, by_hand=answers or HandAnswers()
    )


def make_face(number: int, box: Box = FOUND, *, by_hand: bool = False) -> FaceOccurrence:
    return FaceOccurrence(str(number), "a.jpg", "hash", box, SIZE, 0.9, 0.9, None, by_hand=by_hand)


def plan(known: LibraryNames, *names: PhotoNames) -> ImportPlan:
    """Plan an import with new faces; without them, the same number is offered."""
    collected = CollectedNames(photo_names=list(names))
    planned = reconcile(collected, known, add_faces=True)
    offered = reconcile(collected, known)
    assert offered.addable == len(planned.additions) and (offered.additions, planned.addable) == ((), 0)
    assert len(offered.unmatched) + len(offered.placeless) >= len(planned.unmatched) + len(planned.placeless)
    return planned


def regions(*named: tuple[str, Box], source: PhotoNames = SIDECAR) -> PhotoNames:
    return replace(source, regions=tuple(Region(name, box) for name, box in named))


def test_a_region_without_a_face_is_drawn_with_its_name_and_a_region_on_a_face_is_not() -> None:
    planned = plan(make_known(make_face(0)), regions(("Anna", FREE), ("Ben", FOUND), ("", (0.4, 0.1, 0.5, 0.2))))
    assert planned.additions == (FaceAddition("a.jpg", "Anna", FREE, ("XMP sidecars",)),)
    assert [naming.name for naming in planned.namings] == ["Ben"] and not planned.unmatched
    assert planned.faces_per_person == {"Anna": 1, "Ben": 1}


def test_the_same_face_in_several_files_notations_and_copies_is_drawn_once() -> None:
    shifted = (0.61, 0.5, 0.8, 0.9)
    planned = plan(
        make_known(),
        regions(("anna", shifted), source=replace(SIDECAR, source="a table", scheme="", applied_to=None)),
        regions(("Anna", FREE)),
        regions(("Anna", FREE), source=replace(SIDECAR, scheme="mp", applied_to=None, people=("Anna",))),
        regions(("Anna", FREE), source=replace(SIDECAR, photo="copy.jpg")),
    )
    (addition,) = planned.additions
    assert (addition.box, addition.name, addition.sources) == (shifted, "Anna", ("XMP sidecars", "a table"))
    assert not planned.unmatched and not planned.placeless


def test_boxes_are_cut_at_the_edge_and_rounded_and_suggestions_stay_suggestions() -> None:
    suggested = Region("Anna", (-0.05, 0.123456789, 0.2, 1.1), confirmed=False)
    (addition,) = plan(make_known(), replace(SIDECAR, regions=(suggested,))).additions
    assert addition.box == (0.0, 0.12346, 0.2, 1.0) and not addition.confirmed


REFUSED: dict[str, tuple[str, Sequence[tuple[str, Box]], LibraryNames]] = {
    "removed": (
        "you said that no face is there",
        [("Anna", FREE)],
        make_known(answers=HandAnswers({"hash": [((0.6, 0.5, 0.8, 0.85), "you said that no face is there")]})),
    ),
    "name on a face": ("is Anna", [("ANNA", FREE)], make_known(make_face(0), names={"0": "Anna"})),
    "name on the photo": (
        "is Anna", [("Anna", FREE)], make_known(make_face(9, WHOLE_PHOTO, by_hand=True), names={"9": "Anna"}),
    ),
    "name on another region": ("is Anna", [("Anna", FREE), ("Anna", FOUND)], make_known(make_face(0))),
    "another's face": (
        "overlaps the face", [("Anna", FOUND), ("Ben", (0.1, 0.1, 0.3, 0.23))], make_known(make_face(0)),
    ),
    "two places": ("one name, several regions", [("Anna", FREE), ("Anna", (0.1, 0.6, 0.2, 0.7))], make_known()),
    "two names": ("several names", [("Anna", FREE), ("Ben", FREE)], make_known()),
    "tiny": ("too small", [("Anna", (0.5, 0.5, 0.5009, 0.6))], make_known()),
    "whole photo": ("all of it", [("Anna", (0.0, 0.0, 1.0, 0.999999))], make_known()),
    "outside": ("outside", [("Anna", (0.9, 0.9, 2.0, 2.0))], make_known()),
    "face id": ("face id", [("0123456789abcdef", FREE)], make_known()),
    "turned": ("may have been turned", [("Anna", FREE)], make_known(orientation=3)),
    "too many": (
        f"more than {MAX_FACES_A_PHOTO} names",
        [(f"Zoe z{number}", (number / 999, 0.5, (number + 2) / 999, 0.6)) for number in range(MAX_FACES_A_PHOTO + 1)],
        make_known(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_region_that_is_doubtful_or_contradicts_something_is_listed_instead(case: str) -> None:
    reason, named, known = REFUSED[case]
    planned = plan(known, regions(*named))
    assert not planned.additions, planned.additions
    assert planned.unmatched and all(reason in unplaced.why for unplaced in planned.unmatched), planned.unmatched


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(
    ("source", "certain"),
    [
        (replace(SIDECAR, is_own=True), range(1, 9)),
        (replace(SIDECAR, frame=Frame.UPRIGHT, frame_certain=True, applied_to=None), range(1, 9)),
        (SIDECAR, (1, 5, 6, 7, 8)),  # the recorded size tells the stored picture from the upright one
        (replace(SIDECAR, applied_to=None), (1,)),
        (replace(SIDECAR, applied_to=(4000, 1000)), ()),  # cropped since
        (replace(SIDECAR, orientation=6), (1, 6)),
    ],
    ids=["ours", "a table", "with the size", "without the size", "another size", "another orientation"],
)
def test_only_regions_whose_place_is_certain_are_drawn(
    source: PhotoNames, certain: Sequence[int], orientation: int
) -> None:
    known = make_known(orientation=orientation)
    stored = source.applied_to[::-1] if source.applied_to and orientation > 4 else source.applied_to
    box = FREE if source.frame_certain else stored_box(FREE, orientation)
    planned = plan(known, regions(("Anna", box), source=replace(source, applied_to=stored)))
    boxes = [addition.box for addition in planned.additions]
    assert boxes == ([pytest.approx(FREE)] if orientation in certain else [])
    assert len(boxes) + len(planned.unmatched) == 1


def test_another_region_on_a_face_or_other_photos_of_the_program_settle_the_place() -> None:
    known = make_known(make_face(0), orientation=3)
    named = [("Anna", stored_box(FREE, 3)), ("Ben", stored_box(FOUND, 3))]
    assert [one.name for one in plan(known, regions(*named)).additions] == ["Anna"]


def test_people_without_a_region_are_put_on_the_photo_unless_an_unnamed_face_may_be_theirs() -> None:
    named = make_face(0), make_face(1, (0.4, 0.1, 0.5, 0.3))
    people = replace(SIDECAR, people=("Dora",))
    whole = FaceAddition("a.jpg", "Dora", WHOLE_PHOTO, ("XMP sidecars",))
    for known, expected in (
        (make_known(), (whole,)),
        (make_known(*named, names={"0": "Anna", "1": "Ben"}), (whole,)),
        (make_known(*named, names={"0": "Anna"}), ()),
        (make_known(named[0]), (whole,)),  # the user said that this face is not Dora
        (make_known(make_face(9, WHOLE_PHOTO, by_hand=True), names={"9": "Anna"}), (whole,)),
        (make_known(make_face(9, WHOLE_PHOTO, by_hand=True), names={"9": "Dora"}), ()),
        (make_known(answers=HandAnswers(withdrawn={"hash": {"dora"}})), ()),
    ):
        assert plan(known, people).additions == expected
    unseen = replace(SIDECAR, without_face=("Dora",))  # faceclust wrote that no face of hers is to be seen
    assert plan(make_known(*named), unseen).additions == (whole,)
    doubtful = replace(regions(("Dora", FREE), source=people), applied_to=None)
    assert not plan(make_known(orientation=6), doubtful).additions


def test_a_photo_with_more_names_than_people_is_left_alone() -> None:
    people = tuple(f"Zoe z{number}" for number in range(5 * MAX_FACES_A_PHOTO))
    planned = plan(make_known(), replace(SIDECAR, people=people))
    assert len(planned.additions) == MAX_FACES_A_PHOTO and len(planned.placeless) == 4 * MAX_FACES_A_PHOTO
