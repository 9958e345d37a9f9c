"""Perceptual hashes: near for one picture in other clothes, far for others, and the same written and read."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from flythrough.media.perceptual_hash import BITS, distance_bits, mean_distance_bits, picture_hash, to_hex
from flythrough.sample.film import film


def test_another_size_grading_and_codec_leave_the_hash_near_and_other_pictures_are_far() -> None:
    one, other = (film(seed, seconds=1 / 30, width=256, height=144).images[0] for seed in (2, 3))
    small = cv2.imdecode(cv2.imencode(".jpg", cv2.resize(one, (180, 101)), [cv2.IMWRITE_JPEG_QUALITY, 40])[1], 1)
    graded = np.clip(small * 1.1 + 6, 0, 255).astype(np.uint8)
    assert distance_bits(picture_hash(one), picture_hash(graded)) <= 6
    assert distance_bits(picture_hash(one), picture_hash(other)) >= 14


def test_the_mean_distance_of_hashes_in_a_row() -> None:
    near, far = to_hex(0) + to_hex(2**64 - 1), to_hex(0b111) + to_hex(2**64 - 1)
    assert len(to_hex(5)) == BITS // 4
    assert mean_distance_bits(near, far) == 1.5
    with pytest.raises(ValueError, match="16 digits against 32"):
        mean_distance_bits(to_hex(0), near)
