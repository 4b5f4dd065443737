"""Finds names of our own invention, and docstrings that begin with a question word: see docs/glossary.md."""

import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Each with the words that say it: whoever brings one back is told what to write.
INVENTED = {
    "bedside": "PatientAlarms, PatientView",
    "bury": "dead_letter",
    "courier": "DeliveryWorker",
    "doors": "Authenticator",
    "ear": "LogCapture",
    "look": "rapid check, observe, observation",
    "notices": "describe, apprise_channel",
    "office": "ScoringService",
    "pencils": "DRAW_POOL",
    "recall": "sample_history, verdict_history",
    "recalled": "what was read back",
    "sight": "Observation",
    "tell": "publish, describe",
    "telling": "EventBroadcaster",
    "told": "published, described",
    "words": "describe, message_text",
    "Ward": "PartitionState, PatientRegistry",
}
PLURALS = {"bedsides", "couriers", "looks", "sights", "tells"}
# Of messages, settings, metrics and addresses that others read.
ON_THE_WIRE = {"sight", "told_ns", "ecgstream_detector_looks", "looks"}
# Python's own, and of statistics: sensitivity is called recall there.
STANDARD = {"tell", "recall", "precision_recall_curve", "_precision_recall"}
_QUESTIONS = re.compile(r'^\s*"""(?:What|Whether|Which|How|Who|Where|When|Why|That)\b', re.MULTILINE)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SCRIPT_NAMES = re.compile(r"(?<![\w\"'`-])#?[A-Za-z_]\w*")
_SCRIPT_TEXT = re.compile(r"//[^\n]*|/\*.*?\*/|`[^`]*`|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


def invented(name: str) -> str | None:
    """The invented word in a name, None where there is none."""
    if name in ON_THE_WIRE | STANDARD or name.startswith("test_"):  # a test's name is a sentence
        return None
    for part in _PARTS.findall(name):
        word = part.lower()
        if word in PLURALS:
            word = word[:-1]
        if word in INVENTED:
            return word
    return "Ward" if name.strip("_") == "Ward" else None


def names_in(path: Path) -> Iterator[tuple[int, str]]:
    """The identifiers of a file with their lines."""
    if path.suffix == ".py":
        with path.open("rb") as file:
            yield from ((one.start[0], one.string) for one in tokenize.tokenize(file.readline) if one.type == 1)
        return
    bare = _SCRIPT_TEXT.sub(lambda found: "\n" * found.group().count("\n"), path.read_text(encoding="utf-8"))
    for number, line in enumerate(bare.splitlines(), 1):
        yield from ((number, name) for name in _SCRIPT_NAMES.findall(line))


def main() -> int:
    """Print what was found; 1 where there is anything."""
    command = ["git", "ls-files"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603
    files = [Path(line) for line in listed.splitlines() if (ROOT / line).exists()]
    found = [(str(path), path.stem) for path in files]
    faults = []
    for path in (each for each in files if each.suffix in {".py", ".js"} and each.parts[0] != "scripts"):
        first = {name: number for number, name in reversed(list(names_in(ROOT / path)))}
        found += [(f"{path}:{number}", name) for name, number in first.items()]
        if path.suffix == ".py" and path.parts[0] != "tests":
            text = (ROOT / path).read_text(encoding="utf-8")
            lines = [text.count("\n", 0, question.end()) + 1 for question in _QUESTIONS.finditer(text)]
            faults += [f"{path}:{line}: begin the docstring with a verb or a noun" for line in lines]
    for line in (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines():
        term = line.split("|")[1].strip() if line.startswith("| ") else ""
        found += [("docs/glossary.md", word) for word in re.findall(r"\w+", term)]
    faults += [f"{place}: {name}: say {INVENTED[word]}" for place, name in found if (word := invented(name))]
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
