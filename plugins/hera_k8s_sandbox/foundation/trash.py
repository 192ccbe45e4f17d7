"""The trash: directories that are moved away at once, and whose files are deleted later, in the background."""

from __future__ import annotations

import contextlib
import errno
import shutil
import threading
import uuid
from pathlib import Path


class Trash:
    """A directory of a sandbox; to be on the disk of what is thrown away. Safe to share between threads."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._sweeping = threading.Lock()

    def throw_away(self, path: Path) -> None:
        """Let a directory be gone, if it is there; its files are removed meanwhile, or after the next start."""
        if self.move(path):
            self.sweep()

    def move(self, path: Path) -> bool:
        """Only move it away; the caller sweeps later. Whether there is something to sweep."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            path.rename(self._directory / uuid.uuid4().hex)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            shutil.rmtree(path, ignore_errors=True)  # a disk of its own, where nothing can be moved out of the way
            return False
        return True

    def sweep(self) -> None:
        """Begin to delete the files here; the end of the program interrupts it, a later sweep continues."""
        if self._directory.is_dir():
            threading.Thread(target=self.empty, name="sandbox-trash", daemon=True).start()

    def empty(self) -> None:
        """Remove what lies here, and return when that is done."""
        with self._sweeping, contextlib.suppress(FileNotFoundError):  # the sandbox itself may be removed meanwhile
            for each in list(self._directory.iterdir()):
                if each.is_symlink():
                    each.unlink(missing_ok=True)
                else:
                    shutil.rmtree(each, ignore_errors=True)
