"""Which directory a transcript belongs to. The official CLI names a folder after it, in a way that gives many one name."""

from __future__ import annotations

from unicodedata import normalize

#: From this length on, the name is cut and ends with a hash.
_LONGEST = 200
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class Origin:
    """The folder and session of a file's path, for lines that do not name them.

    ``directory`` is the one that the file's lines named last and that has this folder; empty before.
    """

    __slots__ = ("_known", "directory", "folder", "session")

    def __init__(self, folder: str, session: str, directory: str = "") -> None:
        self.folder = folder
        self.session = session
        self.directory = directory
        self._known: dict[str, str] = {}

    def project(self, cwd: str | None) -> str:
        """The directory that a line belongs to, given the working directory it names; the folder when that is not known."""
        if cwd is not None:
            found = self._known.get(cwd)
            if found is None:
                found = self._known[cwd] = directory_of(self.folder, cwd)
            if found:
                self.directory = found
        return self.directory or self.folder

    def directories(self) -> set[tuple[str, str]]:
        """The folder with each directory that the file's lines named."""
        return {(self.folder, directory) for directory in self._known.values() if directory}


def folder_of(directory: str) -> str:
    """The name of the folder with the transcripts of a directory."""
    # The CLI counts in UTF-16: a character beyond 65,535 becomes two dashes.
    name = "".join(
        char if char.isascii() and char.isalnum() else "-" * (1 + (char > "\uffff")) for char in directory
    )
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}-{_hash(directory)}"


def directory_of(folder: str, cwd: str) -> str:
    """The directory with this folder: the working directory that a line names, or the one above that it was changed from.

    Empty when it is neither.
    """
    if folder_of(cwd) != folder and folder_of(normalize("NFC", cwd)) == folder:
        return cwd
    directory = cwd
    while directory:
        if folder_of(directory) == folder:
            return directory
        directory = directory.rstrip("/\\")
        directory = directory[: max(directory.rfind("/"), directory.rfind("\\")) + 1].rstrip("/\\")
    # Another version of the CLI may hash a long name in another way.
    return cwd if len(folder) > _LONGEST and folder_of(cwd)[: _LONGEST + 1] == folder[: _LONGEST + 1] else ""


def _hash(text: str) -> str:
    """The hash at the end of a long name: 32 bits with a sign, over UTF-16, without its sign in base 36."""
    units = text.encode("utf-16-le", "surrogatepass")
    value = 0
    for at in range(0, len(units), 2):
        value = (value * 31 + int.from_bytes(units[at : at + 2], "little")) & 0xFFFF_FFFF
    value = min(value, (1 << 32) - value)
    digits = ""
    while value or not digits:
        value, digit = divmod(value, 36)
        digits = _DIGITS[digit] + digits
    return digits
