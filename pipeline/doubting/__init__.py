"""How sure a fit may be of an image: unlike all training images, or one of several classes.

Both are chosen on training rows alone: by distances and probabilities of rows that were left out
of what they are measured by.
"""
