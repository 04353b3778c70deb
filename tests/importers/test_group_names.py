"""Names on videos, which show one person on several frames."""

from __future__ import annotations

from faceclust.importers.group_names import _count_people, place_names
from faceclust.types import FaceOccurrence, Person, PhotoInfo


def make_face(number: int, video: str, time: float | None) -> FaceOccurrence:
    return FaceOccurrence(
        f"{number:016x}", video, video, (0.1, 0.1, 0.5, 0.5), (640, 480), 1.0, 1.0, None, frame_time=time
    )


def test_a_person_in_a_video_counts_once() -> None:
    faces = [make_face(number, "v.mp4", float(number)) for number in range(5)]
    group_of = {faces[0].face_id: "p1", faces[1].face_id: "p1", faces[2].face_id: "p2"}
    assert _count_people(faces, group_of) == 3  # the two ungrouped faces may be one person
    both = [*faces, make_face(9, "v.mp4", 4.0)]
    assert _count_people(both, group_of) == 4
    photo = [make_face(number, "a.jpg", None) for number in range(3)]
    assert _count_people(photo, {face.face_id: "p1" for face in photo}) == 3


def test_the_name_on_a_video_goes_to_one_face_of_its_group() -> None:
    videos = [f"{number}.mp4" for number in range(40)]
    faces = {video: [make_face(3 * place + k, video, 2.0 * k) for k in range(3)] for place, video in enumerate(videos)}
    anna = [face.face_id for video in videos[:20] for face in faces[video]]
    other = [face.face_id for video in videos[20:] for face in faces[video]]
    persons = [make_person("p1", 1, anna), make_person("p2", 2, other)]
    photos = {video: PhotoInfo(video, video, (640, 480), 3, None, None, None, None) for video in videos}
    found = place_names(photos, faces, persons, {video: ["anna"] for video in videos[:20]}, {})
    assert found == {(video, "anna"): faces[video][0].face_id for video in videos[:20]}


def make_person(id: str, group: int, face_ids: list[str]) -> Person:
    return Person(id, None, tuple(face_ids), frozenset(), (group,))
