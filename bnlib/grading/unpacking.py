"""A whole class in one zip file, as Canvas and Moodle hand it out, in place of a folder of submissions.

The platform's zip alone is unpacked, into a folder of ours that is gone after the run; what a student packed stays packed.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath

from bnlib.grading.submissions import MAX_ZIP, TIMESTAMP, FolderError


@contextmanager
def unpacked(folder: Path) -> Iterator[Path]:
    """The folder itself, or what a zip file in its place holds.

    Args:
        folder: A folder of submissions, or a zip file of one.

    Raises:
        FolderError: The zip file is damaged, or there is no room for it.
    """
    if folder.is_dir() or not zipfile.is_zipfile(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="bnlib-class-", ignore_cleanup_errors=True) as name:
        try:
            with zipfile.ZipFile(folder) as archive:
                for info in archive.infolist():
                    _unpack(archive, info, Path(name))
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise FolderError(f"{folder}: is a damaged zip file ({error}); download it again") from None
        except OSError as error:
            raise FolderError(
                f"{folder}: cannot be unpacked ({error.strerror}); unpack it and give the folder"
            ) from None
        inner = [path for path in Path(name).iterdir() if path.name != "__MACOSX"]
        if not inner:
            raise FolderError(f"{folder}: holds no submission (name.ipynb, name.zip, or a folder for each student)")
        # Who packs a folder again gets a folder of the zip's own name around everything.
        packed_again = [path.name for path in inner] == [folder.stem] and inner[0].is_dir()
        yield inner[0] if packed_again else Path(name)


def _unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path) -> None:
    """One file of the platform's zip, with its date; nothing outside of ``folder``, and never more than the grader reads."""
    parts = [part for part in PurePosixPath(info.filename.replace("\\", "/")).parts if part not in ("/", "..")]
    if info.is_dir() or not parts or not parts[-1].lower().endswith((".ipynb", ".zip", TIMESTAMP)):
        return
    path = folder.joinpath(*parts)
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(info) as packed, path.open("wb") as file:
        left = MAX_ZIP + 1
        while left > 0 and (block := packed.read(min(left, 1 << 20))):
            file.write(block)
            left -= len(block)
    with suppress(ValueError, OverflowError, OSError):
        moment = datetime(*info.date_time).timestamp()
        os.utime(path, (moment, moment))
