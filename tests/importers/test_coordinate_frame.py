"""Which picture boxes relate to, where it is hard to say."""

from __future__ import annotations

from faceclust.importers.coordinate_frame import FrameChoice, choose_interpretation, infer_usual_frames, interpret_boxes
from faceclust.importers.values import Frame, PhotoNames, Region
from faceclust.types import Box, PhotoInfo
from faceclust.xmp.values import stored_box

FACE, MIRRORED = (0.2, 0.4, 0.4, 0.6), (0.6, 0.4, 0.8, 0.6)


def facts(photo: str = "a.jpg", orientation: int = 3, size: tuple[int, int] = (400, 400)) -> PhotoInfo:
    return PhotoInfo(photo, "h", size, orientation, None, None, None, None)


def words(*boxes: Box, applied_to: tuple[int, int] | None = None, source: str = "s", sure: bool = False) -> PhotoNames:
    regions = tuple(Region(f"P{number}", box) for number, box in enumerate(boxes))
    frame = Frame.UPRIGHT if sure else Frame.STORED
    return PhotoNames("a.jpg", source, "a.xmp", "mwg", regions, frame=frame, frame_certain=sure, applied_to=applied_to)


def chosen(said: PhotoNames, known: PhotoInfo, faces: list[Box], habit: Frame | None = None) -> FrameChoice:
    usual = {(said.source, said.scheme): habit} if habit else {}
    return choose_interpretation(said, known, faces, interpret_boxes(said, known, faces), usual)


def test_boxes_that_fit_both_ways_are_in_doubt_unless_the_program_has_a_habit() -> None:
    both = [FACE, MIRRORED]
    assert "alike" in chosen(words(FACE), facts(), both).undecided_reason
    for frame, face in ((Frame.STORED, 1), (Frame.UPRIGHT, 0)):
        reading = chosen(words(FACE), facts(), both, frame).interpretation
        assert reading and (reading.frame, reading.pairs) == (frame, {0: face})


def test_a_single_box_that_fits_only_against_the_habit_is_on_no_face() -> None:
    upright = chosen(words(FACE), facts(), [FACE]).interpretation
    assert upright and upright.frame is Frame.UPRIGHT and upright.pairs == {0: 0}
    habit = chosen(words(FACE), facts(), [FACE], Frame.STORED).interpretation
    assert habit and habit.frame is Frame.STORED and habit.pairs == {}
    other = (0.5, 0.1, 0.6, 0.2)
    two = chosen(words(FACE, other), facts(), [FACE, other], Frame.STORED).interpretation  # no chance any more
    assert two and two.frame is Frame.UPRIGHT and len(two.pairs) == 2


def test_the_habit_is_what_nearly_all_fit() -> None:
    def votes(stored: int, upright: int) -> dict[tuple[str, str], Frame]:
        said = words(FACE)
        fitting = {Frame.STORED: [stored_box(FACE, 3)], Frame.UPRIGHT: [FACE]}
        read = [(said, interpret_boxes(said, facts(), fitting[Frame.STORED]))] * stored
        return infer_usual_frames(read + [(said, interpret_boxes(said, facts(), fitting[Frame.UPRIGHT]))] * upright)

    assert votes(2, 0) == votes(3, 3) == {}
    assert votes(3, 0) == votes(8, 2) == {("s", "mwg"): Frame.STORED}
    assert votes(0, 3) == {("s", "mwg"): Frame.UPRIGHT}


def test_the_shape_that_was_written_down_decides_between_readings_that_fit() -> None:
    wide = facts(orientation=6, size=(300, 400))  # stored: 400 × 300
    box = (0.4, 0.4, 0.6, 0.6)  # in the middle: it fits both ways
    assert chosen(words(box, applied_to=(400, 300)), wide, [box]).interpretation.frame is Frame.STORED  # type: ignore[union-attr]
    assert chosen(words(box, applied_to=(300, 400)), wide, [box]).interpretation.frame is Frame.UPRIGHT  # type: ignore[union-attr]


def test_what_is_sure_is_not_turned() -> None:
    turned = [stored_box(FACE, 3), (0.1, 0.1, 0.2, 0.2)]
    reading = chosen(words(FACE, stored_box(turned[1], 3), sure=True), facts(), turned).interpretation
    assert reading and reading.frame is Frame.UPRIGHT and reading.pairs == {}


def test_where_most_boxes_are_on_no_face_the_few_that_are_may_be_so_by_chance() -> None:
    faces = [FACE, (0.1, 0.1, 0.2, 0.2), (0.8, 0.8, 0.9, 0.9), (0.5, 0.1, 0.6, 0.2)]
    marked = [FACE, (0.1, 0.8, 0.2, 0.9), (0.3, 0.8, 0.4, 0.9), (0.5, 0.8, 0.6, 0.9)]
    assert "most of" in chosen(words(*marked), facts(orientation=1), faces).undecided_reason
    assert chosen(words(*marked[:2]), facts(orientation=1), faces[:2]).interpretation


def test_no_faces_and_no_boxes() -> None:
    assert chosen(words(FACE), facts(), []).interpretation.pairs == {}  # type: ignore[union-attr]
    assert chosen(words(FACE, applied_to=(100, 900)), facts(), []).interpretation is None
