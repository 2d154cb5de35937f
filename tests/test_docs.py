"""The documentation keeps its word: links lead somewhere, commands exist, every page can be found."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cluster.cli.main import app
from serve.monitoring.rules import RULES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
COMMANDS: Any = typer.main.get_command(app)

FENCE = re.compile(r"^(\s*)(```+)\s*(\w*)\s*$")
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
INLINE = re.compile(r"(?<!`)`(trader [^`]+)`(?!`)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*\s*$")
SHELL = {"", "sh", "bash", "shell", "console"}
ENDS = {"|", "||", "&&", ";", "&", ">", ">>", "2>", "<", ")", "("}
ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
BEFORE = {"time", "exec", "sudo", "nohup"}


def prose_and_code(page: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Return the lines outside of code, and (language, text) of each block, indented ones too."""
    prose: list[str] = []
    blocks: list[tuple[str, str]] = []
    fence, language, held = "", "", [""]
    for line in page.read_text().splitlines():
        found = FENCE.match(line)
        if fence:
            if found and found[2].startswith(fence) and not found[3]:
                blocks.append((language, "\n".join(held)))
                fence = ""
            else:
                held.append(line)
        elif found:
            fence, language, held = found[2], found[3], []
        elif line.startswith("    "):
            blocks.append(("", line.strip()))
        else:
            prose.append(line)
    assert not fence, f"{page} has a code block without an end"
    return prose, blocks


def links(page: Path) -> list[str]:
    prose, _ = prose_and_code(page)
    text = re.sub(r"`[^`]*`", "", "\n".join(prose))
    return LINK.findall(text)


def anchors(page: Path) -> set[str]:
    """Return the names that GitHub gives to the headings of a page."""
    prose, _ = prose_and_code(page)
    found: set[str] = set()
    for line in prose:
        heading = HEADING.match(line)
        if heading:
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading[1]).replace("`", "")
            name = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
            found.add(next(each for each in _numbered(name) if each not in found))
    return found


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in range(1, 100))


def target_of(page: Path, link: str) -> tuple[Path, str]:
    place, _, anchor = link.partition("#")
    return (page.parent / place).resolve() if place else page, anchor


def commands(page: Path) -> list[str]:
    """Return what begins with `trader` in shell blocks, and between backticks."""
    prose, blocks = prose_and_code(page)
    found = [
        line
        for language, text in blocks
        if language in SHELL
        for line in text.replace("\\\n", " ").splitlines()
        if re.search(r"(?:^|[ /;|(])trader [a-z]", line)
    ]
    return found + INLINE.findall("\n".join(prose))


def calls(line: str) -> list[list[str]]:
    """Return the arguments of each `trader` in a line of a shell; none where the line is an output."""
    lexer = shlex.shlex(line.strip().removeprefix("$ "), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:
        return []  # an apostrophe: a sentence, not a command
    parts: list[list[str]] = [[]]
    for word in words:
        if word in ENDS:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for each in parts if (part := _arguments(each)) is not None]


def _arguments(words: list[str]) -> list[str] | None:
    while words and (ASSIGNMENT.match(words[0]) or words[0] in BEFORE):
        words = words[1:]
    if not words or Path(words[0]).name != "trader":
        return None
    return [word.strip("[],.") if word.startswith("[") else word for word in words[1:]]


def mistake(arguments: list[str]) -> str:
    """Return what is wrong with a call, or nothing. Only names are looked at; nothing is run."""
    command, rest = COMMANDS, list(arguments)
    while hasattr(command, "commands"):
        if not rest or rest[0] in ("-h", "--help"):
            return ""
        name = rest.pop(0)
        if name not in command.commands:
            default = getattr(command, "invoke_without_command", False)
            return "" if default and name.startswith("-") else f"there is no command {name!r}"
        command = command.commands[name]
    if rest and rest[-1].startswith("-"):
        rest.append("value")  # an option that is only named
    context = command.context_class(command, info_name=command.name, **command.context_settings)
    try:
        command.make_parser(context).parse_args(rest)
    except Exception as error:  # typer's copy of click has no public name for its errors
        return str(error)
    return ""


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_when_a_page_links_to_a_file_or_heading_it_is_there(page: Path) -> None:
    lost = []
    for link in links(page):
        if re.match(r"[a-z]+:", link):
            continue
        place, anchor = target_of(page, link)
        is_there = place.exists() and (
            not anchor or (place.suffix == ".md" and anchor in anchors(place))
        )
        lost += [] if is_there else [link]
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_when_a_page_shows_a_command_it_exists_with_these_options(page: Path) -> None:
    wrong = {
        line: problem
        for line in commands(page)
        for arguments in calls(line)
        if (problem := mistake(arguments))
    }
    assert wrong == {}


def test_when_commands_are_looked_for_many_are_found_and_mistakes_are_seen() -> None:
    found = [call for page in PAGES for line in commands(page) for call in calls(line)]
    assert len(found) > 300
    assert calls("TRADER_DATA__DAYS=5 .venv/bin/trader run --speed max | tee log") == [
        ["run", "--speed", "max"]
    ]
    assert mistake(["kill", "--reason", "x", "--flatten"]) == ""
    assert "reson" in mistake(["kill", "--reson", "x"])
    assert mistake(["risk", "limit"]) == "there is no command 'limit'"
    assert mistake(["sweep", "momentum", "--fast", "5:100"]) == ""


def test_when_somebody_begins_at_the_index_every_page_can_be_reached() -> None:
    seen: set[Path] = set()
    waiting = [INDEX]
    while waiting:
        page = waiting.pop()
        if page in seen:
            continue
        seen.add(page)
        inside = (target_of(page, link)[0] for link in links(page) if ":" not in link)
        waiting += [each for each in inside if each.suffix == ".md" and each.is_file()]
    assert sorted(name_of(page) for page in set(DOCS.rglob("*.md")) - seen) == []


def test_when_a_runbook_is_written_its_list_links_to_it() -> None:
    folder = DOCS / "runbooks"
    linked = {target_of(folder / "README.md", link)[0].name for link in links(folder / "README.md")}
    assert {page.name for page in folder.glob("*.md")} - {"README.md"} <= linked
    assert {f"{rule.name}.md" for rule in RULES} <= linked


def test_when_a_runbook_belongs_to_a_rule_it_says_so_and_fits_a_screen_or_two() -> None:
    for rule in RULES:
        lines = (ROOT / rule.runbook).read_text().splitlines()
        assert lines[0] == f"# {rule.name}"
        assert 15 <= len(lines) <= 40, rule.runbook
