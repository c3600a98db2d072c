"""A site's own cases: the files, how they are read and split, and the studies drafted from them."""
