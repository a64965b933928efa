"""A bundle as one file, the same byte for byte wherever it is packed.

A plain tar: compressors of different versions give different bytes for the same input, and the archive's digest has to be
the same when another machine goes on with a release.
"""

from __future__ import annotations

import io
import tarfile

from pipeline.bundle import Bundle

__all__ = ["pack"]


def pack(bundle: Bundle) -> bytes:
    """``bundle-<digest>/`` with every file of the bundle, sorted, without owner, time or mode of this machine."""
    files = {name: bundle.read(name) for name in bundle.manifest["files"]}
    files["bundle.json"] = (bundle.folder / "bundle.json").read_bytes()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files):
            entry = tarfile.TarInfo(f"bundle-{bundle.digest[:12]}/{name}")
            entry.size, entry.mode = len(files[name]), 0o644
            tar.addfile(entry, io.BytesIO(files[name]))
    return packed.getvalue()
