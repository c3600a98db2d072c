"""What a hub may ask of a site: one file a verb, from its forms to the sentence that people read about it."""
