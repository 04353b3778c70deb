"""Names have a bound, and those that older versions accepted stay different."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from faceclust.people.names import MAX_NAME_LENGTH, clean_name, person_key, shorten_name


@given(st.text(max_size=20), st.integers(0, 60))
def test_a_shortened_name_is_within_the_bound_and_stays_as_it_is(text: str, times: int) -> None:
    short = shorten_name(text * times)
    assert len(short) <= MAX_NAME_LENGTH and shorten_name(short) == short
    assert short == text * times or len(text * times) > MAX_NAME_LENGTH


def test_long_names_stay_different_and_ignore_case_and_spacing() -> None:
    long = "Anna " * 100
    assert person_key(shorten_name(long + "Berg")) != person_key(shorten_name(long + "Bell"))
    assert person_key(shorten_name(long)) == person_key(shorten_name(long.upper().replace(" ", "  ")))
    assert shorten_name(long).startswith("Anna Anna") and clean_name(shorten_name(long)) == shorten_name(long)


def test_a_name_of_megabytes_takes_no_time() -> None:
    started = time.process_time()
    for name in ("N" * 10_000_000, "a" + "\u0301\u0323" * 1_000_000, "\ud800" * 1000):
        clean_name(shorten_name(name))
    assert time.process_time() - started < 5  # cleaning the second one first would take hours
