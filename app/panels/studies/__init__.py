"""From a file of cases to a study, its first ranking and its tuning."""
