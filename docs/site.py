"""What the site needs beside the pages.

README is its first page. A file of the repository that a page links to is shown as a page of the site, so that no link
is lost without a network or an address of the repository. Tables without a heading lose their empty first row.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])+)\]\(([^)\s]+)\)")
HEADLESS = re.compile(r"<thead>\s*<tr>(?:\s*<th[^>]*>\s*</th>)+\s*</tr>\s*</thead>")
SHOWN = "repository"
"""The folder of the site in which files of the repository are shown."""
LANGUAGES = {".py": "python", ".toml": "toml"}
TEXTS = {*LANGUAGES, ".md", ".html"}
WIDE = {"results.md", f"{SHOWN}/results/reference/tables/all.md"}
"""Pages whose tables need the place of the table of contents."""
FENCE = "`" * 6
HIDDEN = "---\nsearch:\n  exclude: true\n---\n\n"


def on_files(files: Files, config: Any, **more: Any) -> Files:
    """Add the README, with its links as those of a page in `docs`, and what pages link to in the repository."""
    docs = Path(config.docs_dir)
    root = docs.parent
    text = (root / "README.md").read_text(encoding="utf-8")
    files.append(File.generated(config, "index.md", content=LINK.sub(_inward, text)))
    for page in [file for file in files.documentation_pages() if file.src_uri != "index.md"]:
        _show_linked(files, config, root, (docs / page.src_uri).read_text(encoding="utf-8"), f"docs/{page.src_uri}")
    _show_linked(files, config, root, text, "README.md")
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files, **more: Any) -> str:
    """Point links to files of the repository to the pages that show them; without such a page, leave their text."""
    source = page.file.src_uri
    if source in WIDE:
        page.meta["hide"] = ["toc"]
    folder = posixpath.dirname(source)

    def kept(link: re.Match[str]) -> str:
        target, _, anchor = link[3].partition("#")
        if not target or "://" in target:
            return link[0]
        path = posixpath.normpath(posixpath.join(folder, target))
        if files.get_file_from_path(path):
            return link[0]
        place = _place(posixpath.normpath(posixpath.join("docs", path)))
        if not files.get_file_from_path(place):
            return link[2]
        there = posixpath.relpath(place, folder or ".")
        return f"{link[1]}[{link[2]}]({there}{'#' * bool(anchor)}{anchor})"

    return markdown if source.startswith(f"{SHOWN}/") else LINK.sub(kept, markdown)


def on_page_content(html: str, **more: Any) -> str:
    """A table without a heading has none."""
    return HEADLESS.sub("", html)


def _show_linked(files: Files, config: Any, root: Path, text: str, source: str) -> None:
    for link in LINK.finditer(text):
        target = link[3].partition("#")[0]
        if not target or "://" in target:
            continue
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        within = posixpath.relpath(path, "docs")
        if (root / path).exists() and not files.get_file_from_path(within) and path != "README.md":
            _show(files, config, root, path)


def _show(files: Files, config: Any, root: Path, path: str) -> None:
    """Add a file of the repository, or a folder with the files in it; HTML as it is, all else as a page."""
    place, file = _place(path), root / path
    if files.get_file_from_path(place):
        return
    if file.suffix == ".html":
        files.append(File.generated(config, place, abs_src_path=str(file)))
    elif file.is_dir():
        names = [each.relative_to(file).as_posix() for each in _inside(file)]
        name = posixpath.basename(path)
        lines = "\n".join(f"- [`{each}`]({name}/{posixpath.relpath(_place(each), SHOWN)})" for each in names)
        files.append(File.generated(config, place, content=f"{HIDDEN}# `{path}`\n\n{lines}\n"))
        for each in names:
            _show(files, config, root, f"{path}/{each}")
    else:
        text = file.read_text(encoding="utf-8")
        body = text if file.suffix == ".md" else f"{FENCE}{LANGUAGES.get(file.suffix, 'text')}\n{text}\n{FENCE}\n"
        heading = "" if text.startswith("# ") and file.suffix == ".md" else f"# `{path}`\n\n"
        files.append(File.generated(config, place, content=f"{HIDDEN}{heading}{body}"))


def _inside(folder: Path) -> list[Path]:
    """The texts in a folder, and in the folders directly in it."""
    found = [*folder.glob("*"), *folder.glob("*/*")]
    return sorted(each for each in found if each.is_file() and each.suffix in TEXTS and each.parent.name[0] not in "._")


def _place(path: str) -> str:
    """Where the site shows a file or folder of the repository."""
    return f"{SHOWN}/{path}" if path.endswith((".md", ".html")) else f"{SHOWN}/{path}.md"


def _inward(link: re.Match[str]) -> str:
    target = link[3]
    if target.startswith("docs/"):
        target = target.removeprefix("docs/")
    elif "://" not in target and not target.startswith("#"):
        target = f"../{target}"
    return f"{link[1]}[{link[2]}]({target})"
