"""Who somebody is, and whether a chain of entries goes on from what was seen of it: no secrets of a site needed."""
