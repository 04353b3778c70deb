"""Folders that have settled, with a clock that the test sets."""

from __future__ import annotations

from faceclust.watch.settling import MAX_WAIT_RATIO, SettlingFolders


def never(folders: set[str]) -> set[str]:
    return set()


def test_a_folder_is_taken_once_it_is_quiet() -> None:
    folders = SettlingFolders(10)
    assert not folders and folders.take(0, never) == set()
    folders.add({"a"}, 0)
    assert folders and folders.take(9.9, never) == set()
    folders.add({"a"}, 9)  # a second change starts the time again
    assert folders.take(18, never) == set()
    assert folders.take(19, never) == {"a"}
    assert not folders and folders.take(40, never) == set()


def test_folders_wait_for_each_other() -> None:
    folders = SettlingFolders(10)
    folders.add({"a"}, 0)
    folders.add({"b"}, 8)
    assert folders.take(12, never) == set()
    assert folders.take(18, never) == {"a", "b"}


def test_a_stream_without_end_is_processed_all_the_same() -> None:
    folders, taken = SettlingFolders(10), list[int]()
    for now in range(200):
        folders.add({"a"}, now)
        taken += [now] if folders.take(now, never) else []
    assert taken == [60, 121, 182] and MAX_WAIT_RATIO == 6


def test_a_folder_that_settled_is_not_held_up_by_a_busy_one() -> None:
    folders = SettlingFolders(10)
    folders.add({"quiet"}, 0)
    for now in range(60):
        folders.add({"busy"}, now)
        assert folders.take(now, never) == set()
    assert folders.take(60, never) == {"quiet", "busy"}


def test_a_change_without_an_event_is_noticed_before_the_folder_is_taken() -> None:
    """As of a file on a network disk that another machine still writes."""
    folders, looks = SettlingFolders(10), list[set[str]]()

    def still_growing(names: set[str]) -> set[str]:
        looks.extend([names] if names else [])
        return names if len(looks) < 3 else set()

    folders.add({"a"}, 0)
    assert [now for now in range(0, 60, 5) if folders.take(now, still_growing)] == [30]
    assert looks == [{"a"}, {"a"}, {"a"}]
