"""Causal language models trained on text: continued from a model's weights, or from scratch."""
