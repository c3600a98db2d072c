"""A site's own unlabelled text: found, read, freed of near-duplicates, and packed to windows of tokens."""
