"""Pages of Markdown: their blocks with what the test is told about them, headings, links, and code within lines.

What only the test has to know stands in comments, which no reader sees; several are parted by `; `:

    <!-- docs-test: fixture sales daemon -->   the page's folder is prepared by these functions of fixtures.py, before anything runs
    <!-- docs-test: exit 65 -->                the block after it has to end with this code
    <!-- docs-test: file daemon.toml -->       the block after it is written there
    <!-- docs-test: background URL -->         the block after it stays running until the page ends; it is up once URL answers
    <!-- docs-test: loose -->                  numbers of the output shown after it may differ, as other processors round otherwise
    <!-- docs-test: over daemon.toml -->       the TOML after it is laid over this file of the folder, and both are checked together
    <!-- docs-test: run -->                    the Python after it is run, not only compiled
    <!-- docs-test: airflow -->, cluster       likewise, as a DAG, or with Spark and Ray if they are installed
    <!-- docs-test: dbt FILE -->               the SQL after it is a model of dbt
    <!-- docs-test: pipeline -->               the TOML after it is no config, but the definition of a benchmark
    <!-- docs-test: not run: REASON -->        the block after it is not run; it is counted and its reason printed
"""

import re
import textwrap
from dataclasses import dataclass, field

FENCE = re.compile(r"^(?P<indent> *)(?P<ticks>```+)(?P<language>[\w-]*) *$")
COMMENT = re.compile(r"^\s*<!-- docs-test: (?P<said>.*?) -->\s*$")
DIRECTIVE = re.compile(r"(?P<word>not run|\w+)(?::? (?P<argument>.*))?")
CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
LINK = re.compile(r"(?<!\\)!?\[[^\]]*\]\(([^()\s]+)\)")
HEADING = re.compile(r"^(#+) +(.+?) *#*$")


@dataclass
class Block:
    line: int
    language: str
    text: str
    told: dict = field(default_factory=dict)
    # Text that stands right behind a block of commands is what they print.
    shown: "Block | None" = None
    is_shown: bool = False


@dataclass
class Page:
    name: str
    blocks: list
    fixtures: list
    # (line, text) of code within lines, (line, target) of links.
    codes: list
    links: list
    headings: list


def read(name, text):
    """A page; `name` is its path from the root of the repository."""
    page = Page(name, [], [], [], [], [])
    told, fence, body, start, last_end = {}, None, [], 0, None
    for number, line in enumerate(text.splitlines(), 1):
        if fence:
            if line.strip() == fence["ticks"]:
                close(page, Block(start, fence["language"], textwrap.dedent("\n".join(body)) + "\n", told), last_end)
                told, fence, last_end = {}, None, number
            else:
                body.append(line)
            continue
        if match := FENCE.match(line):
            fence, body, start = match, [], number
        elif match := COMMENT.match(line):
            for said in map(DIRECTIVE.fullmatch, match["said"].split("; ")):
                if said["word"] == "fixture":
                    page.fixtures += said["argument"].split()
                else:
                    told[said["word"]] = said["argument"] or ""
        elif line.strip():
            last_end = None
            prose(page, number, line)
    if fence or told:
        raise ValueError(f"{name}:{start}: a block or a comment for the test that leads nowhere: {told}")
    return page


def close(page, block, last_end):
    """Adds a block; the output of the one before, if nothing but blank lines is between them."""
    before = page.blocks[-1] if page.blocks else None
    if block.language == "text" and before and before.language == "sh" and last_end is not None:
        before.shown, block.is_shown = block, True
    page.blocks.append(block)


def prose(page, number, line):
    if match := HEADING.match(line):
        page.headings.append(match[2])
    bare = re.sub(r"\\\|", "|", line)
    page.codes += [(number, match[2].strip()) for match in CODE.finditer(bare)]
    page.links += [(number, match[1]) for match in LINK.finditer(CODE.sub("", line) if "](" not in line else line)]


def slug(heading):
    """The anchor of a heading, as GitHub and mdBook make it."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    kept = "".join(c for c in plain.lower() if c.isalnum() or c in "-_ ")
    return kept.strip().replace(" ", "-")
