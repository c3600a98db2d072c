"""The boxes of the playground's variants."""
