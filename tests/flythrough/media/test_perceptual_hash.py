"""Perceptual hashes: near for variants of one picture, far for other pictures, and equal when written and read."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from flythrough.media.perceptual_hash import BITS, hash_words, near, picture_hash, to_hex
from flythrough.sample.film import film


def test_another_size_grading_and_codec_leave_the_hash_near_and_other_pictures_are_far() -> None:
    one, other = (film(seed, seconds=1 / 30, width=256, height=144).images[0] for seed in (2, 3))
    small = cv2.imdecode(cv2.imencode(".jpg", cv2.resize(one, (180, 101)), [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1)
    graded = np.clip(small * 1.1 + 6, 0, 255).astype(np.uint8)
    assert (picture_hash(one) ^ picture_hash(graded)).bit_count() <= 6
    assert (picture_hash(one) ^ picture_hash(other)).bit_count() >= 14


@pytest.mark.parametrize("pictures", [1, 3, 8])
def test_near_ones_are_those_of_a_comparison_of_all_bits(pictures: int) -> None:
    assert len(to_hex(5)) == BITS // 4
    rng = np.random.default_rng(pictures)
    bits = rng.random((60, pictures * BITS)) < 0.5
    bits[20:] = bits[rng.integers(0, 20, 40)] ^ (rng.random((40, pictures * BITS)) < rng.uniform(0, 0.2, (40, 1)))
    texts = [np.packbits(row).tobytes().hex() for row in bits]
    words = hash_words(texts)
    assert words.shape == (pictures, 60)
    expected = (bits != bits[-1]).sum(axis=1)
    found, distance = near(words, words[:, -1], 10 * pictures)
    assert found.tolist() == np.flatnonzero(expected <= 10 * pictures).tolist()
    assert distance.tolist() == expected[found].tolist()
    assert 1 < len(found) < 60
