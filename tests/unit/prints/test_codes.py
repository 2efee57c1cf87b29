"""Codes that people read off paper and type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.sessions.prints.codes import LENGTH, LETTERS, grouped, new_code, read_code


def test_codes_are_long_random_and_readable() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert {len(code) for code in codes} == {LENGTH}
    assert not {"I", "L", "O", "U"} & set(LETTERS)
    assert len(LETTERS) ** LENGTH == 2**80


@given(st.text(alphabet=LETTERS, min_size=LENGTH, max_size=LENGTH))
def test_a_code_is_read_however_it_is_typed(code: str) -> None:
    assert read_code(grouped(code)) == code
    assert read_code(f"  {grouped(code).lower()} ") == code
    assert read_code(code.replace("0", "o").replace("1", "l")) == code


@given(st.text(max_size=60))
def test_whatever_is_typed_is_a_code_or_none(typed: str) -> None:
    code = read_code(typed)
    assert code is None or (len(code) == LENGTH and set(code) <= set(LETTERS))


@pytest.mark.parametrize("typed", ["", "7KQ2", "U" * 16, "ẰẲẴẶ" * 4, "7" * 17, "٧" * 16])
def test_what_is_no_code(typed: str) -> None:
    assert read_code(typed) is None
