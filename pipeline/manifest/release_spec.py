"""``[github]`` and ``[release]``: where releases are published, and what belongs to one."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from pipeline.manifest.fields import Name, RelativePath, SecretReference, Spec, Url, refuse

__all__ = ["GithubAppSpec", "GithubSpec", "ReleaseSpec"]

_REPOSITORY = r"^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}$"
_REMOTE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"


def _check_name(value: str) -> str:
    if not value.strip() or not value.isprintable() or len(value) > 200:
        refuse("BadValue", "This is not the name of a check.", "Write it as GitHub shows it, up to 200 characters.")
    return value


CheckName = Annotated[str, AfterValidator(_check_name), WithJsonSchema({"type": "string"})]


class GithubAppSpec(Spec):
    """``[github.app]``: a GitHub App that publishes."""

    id: int = Field(ge=1, description="The App's id.")
    installation_id: int = Field(ge=1, description="The id of its installation on the repository.")
    private_key: SecretReference = Field(description="The App's private key in PEM form, as a reference.")


class GithubSpec(Spec):
    """``[github]``: where releases are published, and as whom."""

    repository: str | None = Field(
        default=None,
        pattern=_REPOSITORY,
        description='"owner/name". GITHUB_REPOSITORY, then the remote\'s URL, otherwise.',
    )
    api_url: Url | None = Field(
        default=None,
        description='A GitHub Enterprise API, as "https://github.example.com/api/v3". GITHUB_API_URL, then api.github.com, '
        "otherwise.",
    )
    token: SecretReference | None = Field(
        default=None,
        description="A token, as a reference. GITHUB_TOKEN, GH_TOKEN, then `gh auth token`, otherwise.",
    )
    app: GithubAppSpec | None = Field(default=None, description="A GitHub App, in place of a token.")


class ReleaseSpec(Spec):
    """``[release]``: what `ship release` asks for and publishes."""

    targets: tuple[Name, ...] = Field(
        default=(),
        description="Targets that must hold this version. Those of [rollout], else every manifest, otherwise.",
    )
    required_checks: tuple[CheckName, ...] = Field(
        default=(),
        description="Check runs and statuses that must be green on the commit. Every one there is, otherwise.",
    )
    assets: tuple[RelativePath, ...] = Field(default=(), description="Further files to publish, as an audit report.")
    remote: str = Field(default="origin", pattern=_REMOTE, description="The git remote a signed tag is pushed to.")
    signing_key: RelativePath | None = Field(
        default=None,
        description="A file with `schema = 1` and a [signer] table: the release key, which signs checksums.txt.",
    )
    sign_tag: bool = Field(
        default=False,
        description="Sign the tag with git's own configuration. tag.gpgSign = true in git asks for it too.",
    )
