"""Prompts over cases through a model: likelihoods, texts, and what is kept of them."""
