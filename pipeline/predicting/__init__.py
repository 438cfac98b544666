"""From images that nobody listed to answers: the values that extraction gives, and what a fit says.

Nothing is written: neither into the cache nor beside the fit.
"""
