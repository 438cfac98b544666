"""From files to uint8 RGB batches. The only owner of Pillow.

Bytes are read once, hashed and decoded from the same buffer, so an image that changed after it
was listed is noticed, and what an extension says about a file does not matter.
"""

from pipeline.images.codec import DECODER, DecodedImage, decode_image, encode_png, examine_image
from pipeline.images.colours import colour_histograms
from pipeline.images.geometry import PAD_COLOUR, AsDecoded, Geometry
from pipeline.images.given import GivenImage, read_file, read_given
from pipeline.images.libraries import library_versions, resizes_tall_first
from pipeline.images.overlay import overlay
from pipeline.images.reading import ReadRow, decode_batches, read_batches, read_checked, read_image
from pipeline.images.thumbnails import Thumbnail, read_thumbnails

__all__ = [
    "DECODER",
    "PAD_COLOUR",
    "AsDecoded",
    "DecodedImage",
    "Geometry",
    "GivenImage",
    "ReadRow",
    "Thumbnail",
    "colour_histograms",
    "decode_batches",
    "decode_image",
    "encode_png",
    "examine_image",
    "library_versions",
    "overlay",
    "read_batches",
    "read_checked",
    "read_file",
    "read_given",
    "read_image",
    "read_thumbnails",
    "resizes_tall_first",
]
