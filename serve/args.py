"""What the application is told when it is built: by ``serve run`` or a config file."""

from pydantic import Field

from mgray.config import Config
from serve.gate import gate_config


class Args(Config):
    """What ``serve run serve.app:build key=value ...`` and ``args:`` of a config file take."""

    model: str
    """Model folder, or a folder NAME/VERSION of several; each must take one image."""
    default_model: str | None = None
    """Name of the model that answers unless another is asked for; needed with several."""
    device: str = "cpu"
    """Where the network runs: ``cpu`` or ``cuda``."""
    batch_size: int = Field(default=1, ge=1)
    """Images in one forward pass, always: a smaller group is padded. Above 1 only on a GPU."""
    max_batch_size: int = Field(default=4, ge=1)
    """Waiting images that a detector takes at once."""
    batch_wait_timeout_s: float = Field(default=0.005, ge=0)
    """How long a detector waits for more images."""
    max_body_bytes: int = Field(
        default_factory=lambda: gate_config().max_body_bytes, ge=1, validate_default=True
    )
    """Bytes of a request's body, unpacked; those of the gate, ``MGRAY_MAX_BODY_BYTES``, if not
    given."""
    max_images_held: int = Field(default=16, ge=1)
    """Images read and not yet answered; while there are as many, the answer is 503 at once."""
    max_images: int = Field(default=16, ge=1)
    """Images in one request."""
    results: str | None = None
    """DICOMweb root of the archive that gets the reports of ``POST /studies``."""
    deadline_s: float = Field(default=60.0, gt=0)
    """Seconds until a request is given up with 504."""
    sample_rows: int = Field(default=1024, ge=320, multiple_of=16)
    """Height of the virtual patients' images that the page offers, pixels."""
