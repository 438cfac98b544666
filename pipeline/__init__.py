"""Transfer values: classify images with a headless pretrained CNN and a classical classifier."""

__version__ = "0.1.0"
