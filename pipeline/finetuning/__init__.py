"""Training the last layers of a network: which, behind what, on which images, from which epoch.

The only package beside `backbones` that imports Keras.
"""
