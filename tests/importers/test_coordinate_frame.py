"""The coordinate frame of boxes in ambiguous cases."""

from __future__ import annotations

from dataclasses import replace

from faceclust.importers.coordinate_frame import FrameChoice, choose_interpretation, infer_usual_frames, interpret_boxes
from faceclust.importers.values import Frame, PhotoNames, Region
from faceclust.types import Box, PhotoInfo
from faceclust.xmp.values import stored_box, upright_box

FACE, MIRRORED = (0.2, 0.4, 0.4, 0.6), (0.6, 0.4, 0.8, 0.6)


def make_photo_info(photo: str = "a.jpg", orientation: int = 3, size: tuple[int, int] = (400, 400)) -> PhotoInfo:
    return PhotoInfo(photo, "h", size, orientation, None, None, None, None)


def make_names(
    *boxes: Box, applied_to: tuple[int, int] | None = None, source: str = "s", certain: bool = False
) -> PhotoNames:
    regions = tuple(Region(f"P{number}", box) for number, box in enumerate(boxes))
    frame = Frame.UPRIGHT if certain else Frame.STORED
    return PhotoNames(
        "a.jpg", source, "a.xmp", "mwg", regions, frame=frame, frame_certain=certain, applied_to=applied_to
    )


def choose(photo_names: PhotoNames, photo: PhotoInfo, faces: list[Box], usual: Frame | None = None) -> FrameChoice:
    frames = {(photo_names.source, photo_names.scheme): usual} if usual else {}
    return choose_interpretation(photo_names, photo, faces, interpret_boxes(photo_names, photo, faces), frames)


def test_boxes_that_fit_both_frames_need_the_usual_frame() -> None:
    both = [FACE, MIRRORED]
    assert "equally well" in choose(make_names(FACE), make_photo_info(), both).undecided_reason
    for frame, face in ((Frame.STORED, 1), (Frame.UPRIGHT, 0)):
        interpretation = choose(make_names(FACE), make_photo_info(), both, frame).interpretation
        assert interpretation and (interpretation.frame, interpretation.pairs) == (frame, {0: face})


def test_a_single_box_does_not_override_the_usual_frame() -> None:
    upright = choose(make_names(FACE), make_photo_info(), [FACE]).interpretation
    assert upright and upright.frame is Frame.UPRIGHT and upright.pairs == {0: 0}
    usual = choose(make_names(FACE), make_photo_info(), [FACE], Frame.STORED).interpretation
    assert usual and usual.frame is Frame.STORED and usual.pairs == {}
    other = (0.5, 0.1, 0.6, 0.2)
    two = choose(
        make_names(FACE, other), make_photo_info(), [FACE, other], Frame.STORED
    ).interpretation  # two are no coincidence
    assert two and two.frame is Frame.UPRIGHT and len(two.pairs) == 2


def test_the_usual_frame_needs_votes_and_agreement() -> None:
    def votes(stored: int, upright: int) -> dict[tuple[str, str], Frame]:
        photo_names = make_names(FACE)
        fits_stored = photo_names, interpret_boxes(photo_names, make_photo_info(), [stored_box(FACE, 3)])
        fits_upright = photo_names, interpret_boxes(photo_names, make_photo_info(), [FACE])
        return infer_usual_frames([fits_stored] * stored + [fits_upright] * upright)

    assert votes(2, 0) == votes(3, 3) == {}
    assert votes(3, 0) == votes(8, 2) == {("s", "mwg"): Frame.STORED}
    assert votes(0, 3) == {("s", "mwg"): Frame.UPRIGHT}


def test_the_recorded_aspect_ratio_decides_between_frames_that_fit() -> None:
    wide = make_photo_info(orientation=6, size=(300, 400))  # stored: 400 × 300
    box = (0.4, 0.4, 0.6, 0.6)  # central: it fits both frames
    assert choose(make_names(box, applied_to=(400, 300)), wide, [box]).interpretation.frame is Frame.STORED  # type: ignore[union-attr]
    assert choose(make_names(box, applied_to=(300, 400)), wide, [box]).interpretation.frame is Frame.UPRIGHT  # type: ignore[union-attr]


def test_a_certain_frame_is_never_rotated() -> None:
    turned = [stored_box(FACE, 3), (0.1, 0.1, 0.2, 0.2)]
    interpretation = choose(
        make_names(FACE, stored_box(turned[1], 3), certain=True), make_photo_info(), turned
    ).interpretation
    assert interpretation and interpretation.frame is Frame.UPRIGHT and interpretation.pairs == {}


def test_mostly_unmatched_boxes_are_undecided() -> None:
    faces = [FACE, (0.1, 0.1, 0.2, 0.2), (0.8, 0.8, 0.9, 0.9), (0.5, 0.1, 0.6, 0.2)]
    marked = [FACE, (0.1, 0.8, 0.2, 0.9), (0.3, 0.8, 0.4, 0.9), (0.5, 0.8, 0.6, 0.9)]
    assert "most of" in choose(make_names(*marked), make_photo_info(orientation=1), faces).undecided_reason
    assert choose(make_names(*marked[:2]), make_photo_info(orientation=1), faces[:2]).interpretation


def test_no_faces_and_no_boxes() -> None:
    assert choose(make_names(FACE), make_photo_info(), []).interpretation.pairs == {}  # type: ignore[union-attr]
    assert choose(make_names(FACE, applied_to=(100, 900)), make_photo_info(), []).interpretation is None


def test_a_region_may_be_drawn_on_a_display_that_was_turned_in_the_program_alone() -> None:
    """The file lies on its side; the sidecar, or Picasa, has the rotation that makes it upright."""
    photo = make_photo_info(orientation=1, size=(600, 400))
    for drawn in (FACE, upright_box(FACE, 6)):  # on the stored picture, and on the turned one
        names = replace(make_names(drawn), orientation=6)
        interpretation = choose(names, photo, [FACE]).interpretation
        assert interpretation and interpretation.pairs == {0: 0}
