"""What one input file may cost."""

from typing import Final

from mgray.config import Config


class Limits(Config):
    """Caps on one file: checked before decoding, or enforced by the operating system."""

    max_file_bytes: int = 256 * 2**20
    """Bytes of a file; also of a request's body."""
    max_inflated_bytes: int = 256 * 2**20
    """Bytes of the deflated transfer syntax once inflated."""
    max_elements: int = 50_000
    """Data elements and sequence items of the header, at all depths."""
    max_pixels: int = 100_000_000
    """Rows times columns; the largest real mammograms have 26 million."""
    max_volume_pixels: int = 2_000_000_000
    """Rows times columns times frames; a volume is read frame by frame."""
    max_frames: int = 512
    """Frames of one object."""
    memory_bytes: int = 3 * 2**30
    """Address space of the decode child."""
    cpu_s: int = 20
    """Processor seconds that one file may take in the decode child."""
    wall_s: float = 30.0
    """Seconds until the decode child is killed."""


DEFAULT_LIMITS: Final = Limits()
