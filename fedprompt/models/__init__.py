"""Language models behind two small protocols, and the assets that they are loaded from."""
