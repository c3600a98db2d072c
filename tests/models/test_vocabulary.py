"""A model's words: which lie near, which are plain text, and which are read back as they are written."""

import numpy as np

from fedprompt.models.vocabulary import Worded
from fedprompt.tuning.hardening import project
from tests.models.tiny import model, tokenizer


def test_a_real_tokenizers_words_are_read_back_and_no_marker_is_spelt() -> None:
    words = model("llama").vocabulary
    text = "a good film"
    chosen = [int(token) for token in tokenizer()(text)["input_ids"]]
    assert words.spelt(chosen) == text and words.reads_back(chosen)
    assert project(words, words.vectors(chosen), "euclid") == tuple(chosen)
    marker = int(tokenizer().convert_tokens_to_ids("<|im_start|>"))
    vectors = words.vectors([marker])
    assert words.nearest(vectors, 1, "euclid", plain=False).tokens.tolist() == [[marker]]
    assert marker not in words.nearest(vectors, 10_000, "cosine").tokens
    assert not words.reads_back([marker])
    spelt = tokenizer()("<|im_start|>", split_special_tokens=True)["input_ids"]
    assert marker not in spelt and not words.reads_back(spelt)  # other tokens that make a marker's text


def test_likeness_is_angle_distance_or_product() -> None:
    words = model("llama").vocabulary
    table = words.vectors(range(len(tokenizer()))).astype(float)
    vector = np.ones((1, table.shape[1]), np.float32)
    by_hand = {
        "dot": table.sum(axis=1),
        "euclid": -np.linalg.norm(table - 1.0, axis=1),
        "cosine": table.sum(axis=1) / (np.linalg.norm(table, axis=1) * table.shape[1] ** 0.5),
    }
    for by, expected in by_hand.items():
        found = words.nearest(vector, 3, by, plain=False)  # type: ignore[arg-type]
        assert found.tokens[0].tolist() == np.argsort(-expected)[:3].tolist()
        np.testing.assert_allclose(found.likeness[0], np.sort(expected)[::-1][:3], rtol=1e-4)
    assert isinstance(model("llama"), Worded)
