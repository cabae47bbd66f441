"""Name an image from another folder than before."""

import os
from pathlib import Path

from trainer.data.encoded import is_path


def reference_from(reference: str, old_folder: Path, new_folder: Path) -> str:
    """Return an image's reference as a file in `new_folder` has to name it.

    Only relative paths change; data URIs, base64 text, addresses and absolute paths stay.
    """
    if old_folder == new_folder or reference.startswith(("/", "file://")):
        return reference
    if not is_path(reference, old_folder):
        return reference
    return os.path.relpath(old_folder / reference, new_folder)
