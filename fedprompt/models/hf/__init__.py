"""A Hugging Face model on this machine: packed attention, scoring, text, and a soft prompt's gradient."""
