"""Names of the augmentations of training images; what they do stands in `masklab.training.augment`.

Names live here because a study is validated without torch.
"""

NAMES: tuple[str, ...] = ("none", "flip", "crop-flip", "resized-crop-flip", "padded-resized-crop-flip")
"""Every augmentation."""
