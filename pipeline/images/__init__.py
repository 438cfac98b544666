"""From files to uint8 RGB batches. The only owner of Pillow.

Bytes are read once, hashed and decoded from the same buffer, so an image that changed after it
was listed is noticed, and what an extension says about a file does not matter.
"""

from pipeline.images.codec import DECODER, DecodedImage, decode_image, encode_png, examine_image
from pipeline.images.colours import colour_histograms
from pipeline.images.geometry import Geometry
from pipeline.images.libraries import library_versions
from pipeline.images.overlay import overlay
from pipeline.images.reading import read_batches, read_checked, read_image
from pipeline.images.thumbnails import Thumbnail, read_thumbnails

__all__ = [
    "DECODER",
    "DecodedImage",
    "Geometry",
    "Thumbnail",
    "colour_histograms",
    "decode_image",
    "encode_png",
    "examine_image",
    "library_versions",
    "overlay",
    "read_batches",
    "read_checked",
    "read_image",
    "read_thumbnails",
]
