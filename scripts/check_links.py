"""Fails when a Markdown file of the repository links to a file or heading that is not there."""

import re
import subprocess
import sys
from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+\s+(.*)$", re.MULTILINE)


def anchors(text: str) -> set[str]:
    """The anchors that a forge derives from a file's headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in HEADING.findall(text)}


def dead_links(root: Path) -> list[str]:
    """Every relative link of a tracked Markdown file whose target is missing."""
    listed = subprocess.run(  # a fixed command
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],  # noqa: S607 # git of the machine
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    dead = []
    for name in listed:
        page = root / name
        for target in LINK.findall(page.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path) if path else page
            if not file.exists():
                dead.append(f"{name}: {target}: no such file")
            elif anchor and anchor not in anchors(file.read_text()):
                dead.append(f"{name}: {target}: no such heading")
    return dead


if __name__ == "__main__":
    problems = dead_links(Path(__file__).resolve().parents[1])
    sys.exit("\n".join(problems) if problems else 0)
