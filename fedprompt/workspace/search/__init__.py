"""Finding prompts: by words, by meaning, by likeness, and on a map."""
