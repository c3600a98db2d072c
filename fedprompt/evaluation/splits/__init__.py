"""A site's cases cut once into tune, validation and test."""
