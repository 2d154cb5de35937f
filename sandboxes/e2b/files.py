"""Files of a sandbox. What comes out is untrusted: counted while it comes, and never put on a path of ours."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from e2b import FileType
from e2b.sandbox.filesystem.filesystem import WriteEntry
from e2b_code_interpreter import AsyncSandbox

from sandboxes.e2b.connection import Connection
from sandboxes.e2b.faults import asking
from sandboxes.errors import OutputLimit, SandboxRefused

FILES_MAX = 1000
DEPTH_MAX = 8


class Files:
    """Reads and writes files in one sandbox.

    Parameters
    ----------
    guest : AsyncSandbox
        The sandbox as the library knows it.
    """

    def __init__(self, guest: AsyncSandbox, connection: Connection) -> None:
        self._guest = guest
        self._connection = connection

    async def write(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Write files under a folder, by relative name; folders are made.

        Raises
        ------
        SandboxRefused
            If a name leads out of the folder.
        SandboxError
            If the sandbox does not take them.
        """
        entries = [
            WriteEntry(path=f"{folder}/{inside(name)}", data=data) for name, data in files.items()
        ]
        async with asking("write files", self._connection, self._connection.request_timeout_s):
            await self._guest.files.write_files(entries)

    async def read(self, path: str, max_bytes: int) -> bytes:
        """Read one file.

        Raises
        ------
        OutputLimit
            If it is longer than `max_bytes`.
        SandboxError
            If it does not exist or cannot be had.
        """
        data = bytearray()
        async with (
            asking(f"read {path}", self._connection, self._connection.request_timeout_s),
            await self._guest.files.read(path, format="stream") as chunks,
        ):
            async for chunk in chunks:
                data += chunk
                if len(data) > max_bytes:
                    raise OutputLimit(f"{path} in the sandbox is longer than {max_bytes} bytes")
        return bytes(data)

    async def collect(self, folder: str, max_bytes: int) -> dict[str, bytes]:
        """Read all regular files under a folder, by relative name. Links are left where they are.

        Raises
        ------
        OutputLimit
            If they are too many, or longer than `max_bytes` together.
        SandboxError
            If the sandbox does not give them.
        """
        async with asking("list files", self._connection, self._connection.request_timeout_s):
            entries = await self._guest.files.list(folder, depth=DEPTH_MAX)
        paths = sorted(entry.path for entry in entries if entry.type is FileType.FILE)
        if len(paths) > FILES_MAX:
            raise OutputLimit(f"the sandbox wrote {len(paths)} files, more than {FILES_MAX}")
        found: dict[str, bytes] = {}
        for path in paths:
            name = inside(path.removeprefix(f"{folder}/"))
            found[name] = await self.read(path, max_bytes)
            max_bytes -= len(found[name])
        return found


def inside(name: str) -> str:
    """Return a relative name that stays where it is put.

    Raises
    ------
    SandboxRefused
        Otherwise.
    """
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise SandboxRefused(
            f"{name!r} is no name of a file in a sandbox; use a relative one without .."
        )
    return str(path)
