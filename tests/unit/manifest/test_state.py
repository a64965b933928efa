"""``[state]`` says where state is kept, wholly or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.manifest.errors import ManifestInvalid
from pipeline.manifest.project import load_project

HEAD = 'schema = 1\n[project]\nname = "p"\nversion = "1.0.0"\n[state]\n'


def _load(folder: Path, state: str) -> None:
    (folder / "ship.toml").write_text(HEAD + state)
    load_project(folder)


@pytest.mark.parametrize(
    ("state", "key"),
    [
        ('backend = "s3"\n', "state"),
        ('bucket = "acme"\n', "state.bucket"),
        ('backend = "s3"\nbucket = "acme"\nkms-key = "alias/a"\n', "state.kms-key"),
        ('backend = "s3"\nbucket = "Acme"\n', "state.bucket"),
        ('backend = "s3"\nbucket = "acme"\nprefix = "../up"\n', "state.prefix"),
        ('backend = "s3"\nbucket = "acme"\nendpoint = "ftp://x"\n', "state.endpoint"),
        ('backend = "s3"\nbucket = "acme"\nlease-s = 0\n', "state.lease-s"),
        ('backend = "s3"\nbucket = "acme"\nsse = "none"\n', "state.sse"),
        ('backend = "gcs"\n', "state.backend"),
    ],
)
def test_what_does_not_fit_together_is_refused_at_its_key(tmp_path: Path, state: str, key: str) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        _load(tmp_path, state)
    places = [problem.where for problem in getattr(caught.value, "problems", None) or [caught.value]]
    assert any(place is not None and (place.key or "").startswith(key) for place in places), places


@pytest.mark.parametrize(
    "state",
    [
        "",
        'backend = "local"\n',
        'backend = "s3"\nbucket = "acme-1"\nprefix = "a/b"\nsse = "aws:kms"\nkms-key = "alias/a"\n',
        'backend = "s3"\nbucket = "acme"\nendpoint = "https://s3.example.com"\nrequire-versioning = true\nbundles = false\n',
    ],
)
def test_what_fits_is_taken(tmp_path: Path, state: str) -> None:
    _load(tmp_path, state)
