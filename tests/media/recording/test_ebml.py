"""Sizes and padding as RFC 8794 has them, held against a reader of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemed.media.recording.ebml import LONGEST_SIZE, UNKNOWN_SIZE, element, encode_size, void

LARGEST = 2 ** (7 * LONGEST_SIZE) - 2


def read_size(data: bytes) -> tuple[int, int]:
    """The size and how many octets it took."""
    length = LONGEST_SIZE + 1 - data[0].bit_length()
    return int.from_bytes(data[:length], "big") - (1 << 7 * length), length


@given(st.integers(0, LARGEST))
def test_a_size_is_read_back_from_its_shortest_form(size: int) -> None:
    encoded = encode_size(size)
    assert read_size(encoded + b"\xff") == (size, len(encoded))
    assert len(encoded) == 1 or size > 2 ** (7 * (len(encoded) - 1)) - 2


@given(st.integers(0, LARGEST), st.integers(1, LONGEST_SIZE))
def test_no_size_looks_like_the_unknown_one(size: int, octets: int) -> None:
    ones = 2 ** (7 * octets) - 1
    encoded = encode_size(size % ones, octets)
    assert len(encoded) == octets
    assert read_size(encoded)[0] != ones
    assert read_size(UNKNOWN_SIZE)[0] == LARGEST + 1


@pytest.mark.parametrize(("size", "octets"), [(LARGEST + 1, 0), (127, 1), (1 << 14, 2)])
def test_what_does_not_fit_is_refused(size: int, octets: int) -> None:
    with pytest.raises(ValueError, match=str(size)):
        encode_size(size, octets)


@given(st.integers(2, 200_000))
def test_padding_is_as_long_as_it_was_asked_for(length: int) -> None:
    padding = void(length)
    size, octets = read_size(padding[1:])
    assert len(padding) == length == 1 + octets + size


@given(st.binary(max_size=300))
def test_an_element_holds_its_payload(payload: bytes) -> None:
    encoded = element(b"\xa3", payload)
    size, octets = read_size(encoded[1:])
    assert encoded[1 + octets :] == payload
    assert size == len(payload)
