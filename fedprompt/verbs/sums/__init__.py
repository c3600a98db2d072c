"""The verbs of a secure sum, in the order of its steps; what they exchange is made in ``privacy.secure_sums``.

Every step of a round's sum is answered once, after the one before; a site that is asked the same again sends the same
bytes.
"""
