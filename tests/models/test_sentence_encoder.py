"""The encoder's vectors are of length 1, do not depend on company, and come from safetensors on this disk."""

from pathlib import Path

import numpy as np
import pytest

from fedprompt.errors import AssetError, ModelError
from fedprompt.models.sentence_encoder import SentenceEncoder, load_encoder
from tests.coded import coded


def test_without_the_asset_it_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(AssetError, check=coded("assets-not-ready")):
        load_encoder(tmp_path)


def test_weights_that_are_not_safetensors_are_never_loaded(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(ModelError, check=coded("no-safetensors")):
        SentenceEncoder.load(tmp_path)


@pytest.mark.model
def test_what_means_the_same_lies_close(home_with_assets: Path) -> None:
    encoder = load_encoder(home_with_assets)
    texts = ["A man is eating food.", "A man eats something.", "The stock market fell.", ""]
    found = encoder.encode(texts)
    assert (found.shape, found.dtype, encoder.width) == ((4, 384), np.float32, 384)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert found[0] @ found[1] > 0.8 > 0.2 > found[0] @ found[2]
    assert encoder.encode(texts[:1])[0] == pytest.approx(found[0], abs=1e-5)
    assert encoder.encode([]).shape == (0, 384)
    assert load_encoder(home_with_assets) is encoder
