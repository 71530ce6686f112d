"""How pairs are drawn, prepared and augmented. Light: imports no Torch."""

from typing import Literal

from pydantic import Field

from mgray.config import Config
from mgray.dicom.croppers import CropperName

Mode = Literal["match", "class_uniform", "balanced_batch", "weighted", "uniform", "sequential"]


class SamplerConfig(Config):
    """How an epoch is drawn from the pairs (PAPERS.md 0.5)."""

    mode: Mode = "match"
    """match: all positives and as many negatives, new ones each epoch (P1). class_uniform: each
    draw picks the class first, with replacement (P2). balanced_batch: half of each batch is
    positive (P3). weighted: all pairs, loss weights balance the classes of each batch (P4).
    uniform: all pairs, shuffled. sequential: all pairs in order, the last batch filled from the
    start."""
    positives: Literal["malignant", "any_finding"] = "malignant"
    """P1-A9: which pairs count as positive where classes are balanced; any_finding takes those with
    benign findings only in, too. What a detector learns of them stays the same."""
    draws_per_epoch: int | None = Field(default=None, ge=1)
    """Length of an epoch of class_uniform; null draws as often as there are pairs."""


class PreprocessConfig(Config):
    """Geometry and grey levels of the network's input; saved in the model folder."""

    net_height: int = Field(default=1024, ge=32)
    """Height of the network's input, pixels; most detectors want a multiple of 128."""
    net_width: int = Field(default=768, ge=32)
    """Width of the network's input, pixels; most detectors want a multiple of 128."""
    margin: float = Field(default=0.02, ge=0, le=1)
    """Added on each side of the breast's box, as a share of the box's longer side; cut at the
    image's edge."""
    margin_px: float | None = Field(default=None, ge=0)
    """Added instead of margin, pixels of the dicom frame; P1's code adds 50 (P1-A10). It is another
    share of an SM than of its FFDM; margin keeps the two alike."""
    cropper: CropperName = "p1"
    """The paper whose rule finds the breast; the table's must be the same."""
    fit: Literal["stretch", "letterbox", "window"] = "stretch"
    """P1-A11: stretch fills the input, so that the breast boxes of a pair coincide, unless an edge
    of an image cuts the rim around one. letterbox keeps the aspect and pads with black on the
    right, above and below. window (P1-A10) takes a part of fixed size, where it holds most of the
    breast, black beyond the crop. Images are not registered further."""
    windows: dict[str, tuple[int, int]] = Field(
        default={"ffdm": (2944, 1920), "synthetic_2d": (2116, 1339)}
    )
    """For fit=window: image kind to height and width, pixels of the dicom frame; these are the ones
    of the paper's laboratory."""
    outside: Literal["keep", "black"] = "keep"
    """black blanks what lies outside the breast's largest contour above 5 % of the maximum, as P3
    and P4 do."""
    pectoral: Literal["keep", "mlo", "as_published"] = "keep"
    """P5's corner beyond a straight edge at the chest wall: mlo blanks it in the views that show
    the muscle. as_published fills it in every view with grey 114 of 255, as P5's code does, which
    cuts tissue off CC views."""


class AugmentConfig(Config):
    """How far training images are moved and changed; P1 lists none (PAPERS.md P1-A12)."""

    enabled: bool = True
    """Off for validation and test."""
    flip_horizontal: float = Field(default=0.0, ge=0, le=1)
    """Probability; 0 keeps every breast on the left edge, as it is when serving."""
    flip_vertical: float = Field(default=0.5, ge=0, le=1)
    """Probability."""
    shift: float = Field(default=0.03, ge=0, lt=1)
    """Largest shift, as a share of height and of width."""
    scale: float = Field(default=0.05, ge=0, lt=1)
    """Largest relative change of size."""
    rotation: float = Field(default=5.0, ge=0, le=180)
    """Largest rotation, degrees."""
    gain: float = Field(default=0.1, ge=0, lt=1)
    """Largest relative change of contrast; drawn for each image."""
    bias: float = Field(default=0.1, ge=0)
    """Largest change of brightness, standard deviations of the image; drawn for each image."""


class DataConfig(Config):
    """From image table to batches."""

    global_batch_size: int = Field(default=8, ge=1)
    """Pairs in one step over all workers; at least their number."""
    sampler: SamplerConfig = SamplerConfig()
    preprocess: PreprocessConfig = PreprocessConfig()
    augment: AugmentConfig = AugmentConfig()
    only_visible: bool = False
    """Leave out findings known to show in none of the images read. By default every finding of
    the breast is a target in each of its images, as radiologists annotate breasts."""
    partner_findings: bool = True
    """A stage that reads one image of a pair also learns findings drawn on the other one only, at
    the same place of the breast, as stages that read both do. The paper counts one annotation for
    each pair (PAPERS.md 1.1). Off: findings of the images read only."""
    boxed_share: float = Field(default=1.0, gt=0, le=1)
    """Share of the training patients with a finding whose findings somebody drew: whole patients,
    at least one. The stages that learn boxes leave out the other patients' pairs with a finding;
    stage II, which needs no boxes, takes them. Below 1 for experiments with few labels."""
    boxed_seed: int = Field(default=0, ge=0)
    """Which patients these are."""
    threads: int = Field(default=2, ge=1)
    """Decoding threads of one worker."""
    readers: int = Field(default=8, ge=1)
    """Reading threads of one worker, which mostly wait: pairs in flight to storage at once."""
    prefetch: int = Field(default=4, ge=1)
    """Batches read or prepared ahead, over the end of an epoch too; bounds memory."""
