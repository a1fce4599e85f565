"""Media: the folder that holds what was made, what its files are, and what they say about how they were made.

Pillow is not loaded here: `pictures` and `comparison` load it, and the folder loads those with its first picture.
"""

from spoonkernel.media.folder import PREFIX, MediaFolder, Saved
from spoonkernel.media.kinds import Kind, kind_of, size_px

__all__ = ["PREFIX", "Kind", "MediaFolder", "Saved", "kind_of", "size_px"]
