"""Rows, and what variants answer to them."""
