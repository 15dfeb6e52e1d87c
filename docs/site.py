"""What the site needs beside the pages: README as its first one; links to what is not a page become plain text."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])+)\]\(([^)\s]+)\)")


def on_files(files: Files, config: Any, **more: Any) -> Files:
    """Add the README, with its links as those of a page in `docs`."""
    text = (Path(config.docs_dir).parent / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=LINK.sub(_inward, text)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files, **more: Any) -> str:
    """Leave of a link to a file that is not part of the site its text."""
    folder = posixpath.dirname(page.file.src_uri)

    def kept(link: re.Match[str]) -> str:
        target = link[3].partition("#")[0]
        if not target or "://" in target:
            return link[0]
        known = files.get_file_from_path(posixpath.normpath(posixpath.join(folder, target)))
        return link[0] if known else link[2]

    return LINK.sub(kept, markdown)


def _inward(link: re.Match[str]) -> str:
    target = link[3]
    if target.startswith("docs/"):
        target = target.removeprefix("docs/")
    elif "://" not in target and not target.startswith("#"):
        target = f"../{target}"
    return f"{link[1]}[{link[2]}]({target})"
