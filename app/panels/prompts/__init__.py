"""One prompt or several: their texts, answers, differences and versions, and the choice of them."""
