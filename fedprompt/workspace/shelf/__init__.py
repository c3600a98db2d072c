"""What is known of one prompt: where it comes from, its versions, and what people say of it."""
