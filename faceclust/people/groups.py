"""Groups of faces by number: a clustering restricted to the faces in the library."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from faceclust.types import Clustering, ClusterParams


@dataclass(frozen=True)
class Groups:
    """Groups of at least two faces.

    `members` maps a group's number to its face ids, sorted; `number_of` maps a face to its group.
    `strength` is how well each face fits its group, 0 to 1. `highest_number` is the highest group
    number ever used.
    """

    members: Mapping[int, tuple[str, ...]]
    number_of: Mapping[str, int]
    strength: Mapping[str, float]
    highest_number: int
    params: ClusterParams

    @classmethod
    def from_clustering(cls, clustering: Clustering, present: Collection[str]) -> Groups:
        """Return the groups of a clustering, restricted to the faces in `present`.

        A group with only one face left is dropped.
        """
        found: dict[int, list[str]] = defaultdict(list)
        for face, number in zip(clustering.face_ids.tolist(), clustering.labels.tolist(), strict=True):
            if number >= 0 and face in present:
                found[number].append(face)
        members = {number: tuple(sorted(faces)) for number, faces in sorted(found.items()) if len(faces) > 1}
        strength = dict(zip(clustering.face_ids.tolist(), clustering.strength.tolist(), strict=True))
        number_of = {face: number for number, faces in members.items() for face in faces}
        return cls(members, number_of, strength, clustering.highest_number, clustering.params)

    def replace_faces(self, replaced: Mapping[str, str | None]) -> Groups:
        """Return the groups without the faces that are keys, each replaced by its value, if it has one.

        A face that replaces several is in the largest of their groups. A group with only one face left is
        dropped.
        """
        affected = {face: number for face in replaced if (number := self.number_of.get(face)) is not None}
        if not affected:
            return self
        members, number_of, strength = dict(self.members), dict(self.number_of), dict(self.strength)
        for face in sorted(affected, key=lambda face: (-len(self.members[affected[face]]), face)):
            number, new = number_of.pop(face), replaced[face]
            kept = [other for other in members[number] if other != face]
            if new is not None and new not in number_of:
                kept.append(new)
                number_of[new], strength[new] = number, strength[face]
            members[number] = tuple(sorted(kept))
        for number in {number for number in affected.values() if len(members[number]) < 2}:
            for face in members.pop(number):
                del number_of[face]
        return replace(self, members=members, number_of=number_of, strength=strength)

    def split_groups(self, parts: Mapping[int, Sequence[Sequence[str]]]) -> Groups:
        """Return the groups with some of them split into `parts`, by group number.

        The first part keeps the number. Further parts of several faces get numbers above the highest
        one. The faces of all other parts are in no group.
        """
        if not parts:
            return self
        members, number_of, highest = dict(self.members), dict(self.number_of), self.highest_number
        for number in sorted(parts):
            for face in members.pop(number):
                del number_of[face]
            for i, part in enumerate(parts[number]):
                if len(part) > 1:
                    highest += i > 0
                    own = highest if i > 0 else number
                    members[own] = tuple(sorted(part))
                    number_of |= dict.fromkeys(part, own)
        return replace(self, members=members, number_of=number_of, highest_number=highest)
