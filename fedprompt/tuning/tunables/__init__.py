"""What rounds move, one kind a file: each says how it starts, what fits a study, and how it is tuned and scored."""
