"""The registry of models: immutable versions and a history of who was made champion, in one folder.

    <root>/files/<sha256>                     the graphs, by content
    <root>/models/<name>/versions/000003.json the manifest: a version exists when this file does
    <root>/models/<name>/aliases/000007.json  one decision; the newest rules
    <root>/models/<name>/reports/000003.json  what was seen of that version in service; replaced whole

Files are written before the manifest that names them, and manifests and decisions are created, never replaced: a
half-written version is never visible, and of two writers of one number one takes the next.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from actors.models.aliases import Aliases
from actors.models.manifest import ModelFile, ModelManifest
from actors.storage.files import Folder
from trading.errors import ModelCorrupt, ModelRefused, ModelUnknown, UsageError
from trading.forecasting.monitoring import MonitorReport

PACKAGE = "neural-trader"
PARTS = ("champion", "challenger", "archived")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_REFERENCE = re.compile(r"(?P<name>[^@]+)(@(?P<version>[^@]+))?")
Record = TypeVar("Record", bound=msgspec.Struct)


class ModelRegistry:
    """All models below one folder: a path, or any URL that fsspec knows."""

    def __init__(self, url: str) -> None:
        self._folder = Folder(url)

    @property
    def url(self) -> str:
        return self._folder.url

    # -- reading

    def names(self) -> tuple[str, ...]:
        """Return the names of all models that have a version, sorted."""
        return tuple(name for name in self._folder.folders("models") if self.versions(name))

    def versions(self, name: str) -> tuple[int, ...]:
        """Return the versions of a model, rising; none when there is no such model."""
        is_name = _NAME.fullmatch(name)  # what is none must not become a path
        return self._numbers(f"models/{name}/versions") if is_name else ()

    def manifest(self, reference: str) -> ModelManifest:
        """Return what is known of a version.

        Parameters
        ----------
        reference : str
            `name@3`, `name@champion`, `name@challenger`, or `name` for its champion.

        Raises
        ------
        ModelUnknown
            If there is none, saying which there are.
        ModelCorrupt
            If its manifest cannot be read.
        """
        name, version = self.resolve(reference)
        path = _version_path(name, version)
        return self._decode(path, ModelManifest)

    def resolve(self, reference: str) -> tuple[str, int]:
        """Return name and version.

        Raises
        ------
        ModelUnknown
            If there is no such version, or nothing plays that part.
        """
        match = _REFERENCE.fullmatch(reference)
        name, wanted = (match["name"], match["version"] or "champion") if match else (reference, "")
        versions = self.versions(name)
        if not versions:
            known = ", ".join(self.names()) or "none"
            raise ModelUnknown(f"There is no model {name[:64]!r}; known are: {known}.")
        if wanted.isdecimal():
            found = next((each for each in versions if str(each) == wanted.lstrip("0")), None)
        else:
            found = getattr(self.aliases(name), wanted, None) if wanted in PARTS[:2] else None
        if found is None:
            raise ModelUnknown(
                f"There is no {reference[:96]!r}; {name} has the versions "
                f"{', '.join(map(str, versions))}, and {self._parts(name)}."
            )
        return name, found

    def read(self, manifest: ModelManifest, file: str) -> bytes:
        """Return the content of one file of a version.

        Raises
        ------
        ModelUnknown
            If the version has no such file.
        ModelCorrupt
            If it is gone, or is not what was registered.
        """
        known = manifest.file(file)
        if known is None:
            raise ModelUnknown(
                f"{manifest.reference} has no {file}; it has {', '.join(f.name for f in manifest.files)}."
            )
        try:
            content = self._folder.read(f"files/{known.sha256}")
        except FileNotFoundError:
            raise ModelCorrupt(
                f"{manifest.reference}: {file} is missing in {self.url}; restore the registry."
            ) from None
        if hashlib.sha256(content).hexdigest() != known.sha256:
            raise ModelCorrupt(
                f"{manifest.reference}: {file} is not what was registered (its checksum differs); "
                "restore the registry, or promote another version."
            )
        return content

    # -- versions

    def register(self, manifest: ModelManifest, files: Mapping[str, bytes]) -> ModelManifest:
        """Store a new version and return its manifest, with number and checksums filled in.

        Parameters
        ----------
        manifest : ModelManifest
            Its version is not read; its `files` name what `files` holds, their checksums and sizes are not read.

        Raises
        ------
        UsageError
            If the name is no model name.
        """
        if not _NAME.fullmatch(manifest.name):
            raise UsageError(
                f"{manifest.name!r} is no model name: small letters, digits, '-' and '_', at most 63."
            )
        stored = tuple(self._store(file, files[file.name]) for file in manifest.files)
        while True:
            version = max(self.versions(manifest.name), default=0) + 1
            numbered = msgspec.structs.replace(manifest, version=version, files=stored)
            path = _version_path(manifest.name, version)
            if self._folder.create(path, msgspec.json.encode(numbered)):
                return numbered

    def seed(self, manifest: ModelManifest, files: Mapping[str, bytes]) -> None:
        """Make this the first version of its model and its champion, unless the model has another one.

        Several processes may do so at once, and one that was killed in between is finished by the next.
        """
        path = _version_path(manifest.name, 1)
        stored = tuple(self._store(file, files[file.name]) for file in manifest.files)
        first = msgspec.json.encode(msgspec.structs.replace(manifest, version=1, files=stored))
        if not self._folder.create(path, first) and self._folder.read(path) != first:
            return
        chosen = Aliases(
            sequence=1, champion=1, by=PACKAGE, why="ships with it", at=manifest.created_at
        )
        self._folder.create(_alias_path(manifest.name, 1), msgspec.json.encode(chosen))

    def _store(self, file: ModelFile, content: bytes) -> ModelFile:
        digest = hashlib.sha256(content).hexdigest()
        self._folder.create(f"files/{digest}", content)
        return msgspec.structs.replace(file, sha256=digest, size_bytes=len(content))

    # -- parts

    def aliases(self, name: str) -> Aliases:
        """Return the newest decision on a model; an empty one when there was none."""
        numbers = self._numbers(f"models/{name}/aliases")
        return self._decode(_alias_path(name, numbers[-1]), Aliases) if numbers else Aliases()

    def history(self, name: str) -> tuple[Aliases, ...]:
        """Return all decisions on a model, the oldest first."""
        numbers = self._numbers(f"models/{name}/aliases")
        return tuple(self._decode(_alias_path(name, number), Aliases) for number in numbers)

    def promote(
        self, reference: str, part: str, *, by: str, why: str, at: int, force: bool = False
    ) -> Aliases:
        """Give a version a part; a champion that is replaced plays none.

        Raises
        ------
        UsageError
            If there is no such part.
        ModelUnknown
            If there is no such version.
        ModelRefused
            If it may not become champion: it does not beat the naive forecast, or an alarm stands. `force` overrules.
        """
        if part not in PARTS:
            raise UsageError(f"There is no part {part!r}; there are {', '.join(PARTS)}.")
        name, version = self.resolve(reference)
        if part == "champion" and not force:
            self._require_fit(f"{name}@{version}")
        return self._decide(name, lambda old: _with_part(old, version, part), by, why, at)

    def rollback(self, name: str, *, by: str, why: str, at: int) -> Aliases:
        """Make the champion before the present one champion again.

        Raises
        ------
        ModelUnknown
            If there is no such model.
        ModelRefused
            If there was no other champion.
        """
        self.resolve(name)

        def back(old: Aliases) -> Aliases:
            earlier = [past.champion for past in self.history(name)[: old.sequence]]
            before = _champion_before(earlier)
            if before is None:
                raise ModelRefused(f"{name} had no other champion to go back to.")
            return _with_part(old, before, "champion")

        return self._decide(name, back, by, why, at)

    def split(
        self, name: str, weights: Mapping[int, float], *, by: str, why: str, at: int
    ) -> Aliases:
        """Split the traffic of a model over versions; no weights give all of it to the champion.

        Raises
        ------
        ModelUnknown
            If there is no such version.
        UsageError
            If a weight is not above 0 or they do not add up to 1.
        """
        for version in weights:
            self.resolve(f"{name}@{version}")
        if weights and not (min(weights.values()) > 0 and abs(sum(weights.values()) - 1) < 1e-9):
            raise UsageError("The shares of the traffic must be above 0 and add up to 1.")
        fixed = dict(weights)
        return self._decide(
            name, lambda old: msgspec.structs.replace(old, weights=fixed), by, why, at
        )

    def _decide(
        self, name: str, change: Callable[[Aliases], Aliases], by: str, why: str, at: int
    ) -> Aliases:
        while True:
            old = self.aliases(name)
            new = msgspec.structs.replace(
                change(old), sequence=old.sequence + 1, by=by, why=why, at=at
            )
            path = _alias_path(name, new.sequence)
            if self._folder.create(path, msgspec.json.encode(new)):
                return new

    def _require_fit(self, reference: str) -> None:
        manifest = self.manifest(reference)
        if not manifest.beats_naive:
            raise ModelRefused(
                f"{reference} does not beat the naive forecast out of sample; --force promotes it anyway."
            )
        report = self.report(reference)
        if report is not None and report.alerts:
            raise ModelRefused(
                f"{reference} has an alarm ({report.alerts[0]}); --force promotes it anyway."
            )

    # -- what was seen in service

    def report(self, reference: str) -> MonitorReport | None:
        """Return what was last seen of a version in service; None when nothing was."""
        path = _report_path(*self.resolve(reference))
        return self._decode(path, MonitorReport) if self._folder.exists(path) else None

    def write_report(self, reference: str, report: MonitorReport) -> None:
        """Replace what was seen of a version in service."""
        self._folder.write(_report_path(*self.resolve(reference)), msgspec.json.encode(report))

    # -- files

    def _numbers(self, folder: str) -> tuple[int, ...]:
        names = self._folder.files(folder)
        return tuple(int(name[:-5]) for name in names if name.endswith(".json"))

    def _decode(self, path: str, kind: type[Record]) -> Record:
        try:
            return msgspec.json.decode(self._folder.read(path), type=kind)
        except (msgspec.DecodeError, FileNotFoundError) as error:
            raise ModelCorrupt(f"{self.url}/{path} is damaged ({error}); restore it.") from None

    def _parts(self, name: str) -> str:
        aliases = self.aliases(name)
        if aliases.champion is None:
            return "no champion"
        tried = "" if aliases.challenger is None else f", {aliases.challenger} is its challenger"
        return f"{aliases.champion} is champion{tried}"


def _with_part(old: Aliases, version: int, part: str) -> Aliases:
    """A version plays one part at a time; a change of champion ends a split of the traffic."""
    champion = None if old.champion == version else old.champion
    challenger = None if old.challenger == version else old.challenger
    archived = tuple(v for v in old.archived if v != version)
    if part == "archived":
        archived = tuple(sorted({*archived, version}))
    new = msgspec.structs.replace(
        old,
        champion=version if part == "champion" else champion,
        challenger=version if part == "challenger" else challenger,
        archived=archived,
    )
    return new if new.champion == old.champion else msgspec.structs.replace(new, weights={})


def _champion_before(champions: list[int | None]) -> int | None:
    """Return the champion before the last of these, walking back over what was undone.

    After 1, 2, 3 a rollback gives 2, and another gives 1: what a rollback left is not gone back to.
    """
    stack: list[int] = []
    for champion in champions:
        if champion is None or (stack and stack[-1] == champion):
            continue
        if champion in stack:
            del stack[stack.index(champion) + 1 :]
        else:
            stack.append(champion)
    return stack[-2] if len(stack) > 1 else None


def _version_path(name: str, version: int) -> str:
    return f"models/{name}/versions/{version:06d}.json"


def _alias_path(name: str, sequence: int) -> str:
    return f"models/{name}/aliases/{sequence:06d}.json"


def _report_path(name: str, version: int) -> str:
    return f"models/{name}/reports/{version:06d}.json"
