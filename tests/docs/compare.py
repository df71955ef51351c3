"""What a page shows of a command's output against what came."""

import re

# What no two runs share: times that things take, run ids, sizes of files whose metadata hold such.
PASSING = [
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "RUN-ID"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|min|h)\b(?! after)"), "SOME-TIME"),
    (re.compile(r"\b\d+(\.\d+)? (KiB|MiB)\b"), "SOME-BYTES"),
]
NUMBER = re.compile(r"[-+−]?\d+(\.\d+)?")


def differs(shown, came, is_loose):
    """What is wrong with an output, or nothing.

    Lines are compared by their words. `…` stands for anything within a line, and for any lines where it stands alone.
    """
    wanted = [words(line) for line in shown.splitlines() if line.strip()]
    lines = [words(line) for line in came.splitlines() if line.strip()]
    at, may_skip = 0, False
    for want in wanted:
        if want == "…":
            may_skip = True
            continue
        found = next((i for i in range(at, len(lines)) if same(want, lines[i], is_loose)), None)
        if found is None or (found > at and not may_skip):
            return f"shown, but not printed here: {want!r}; printed: {lines[at:at + 3]}"
        at, may_skip = found + 1, False
    return None if may_skip or at == len(lines) else f"printed, but not shown: {lines[at:at + 3]}"


def words(line):
    for pattern, name in PASSING:
        line = pattern.sub(name, line)
    return " ".join(line.split())


def same(want, line, is_loose):
    if want == line:
        return True
    pattern = "".join(piece(part, is_loose) for part in re.split(r"(…)", want))
    match = re.fullmatch(pattern, line)
    if not match or not is_loose:
        return bool(match)
    numbers = [number[0] for number in NUMBER.finditer(want)]
    return len(numbers) == len(match.groups()) and all(near(a, b) for a, b in zip(numbers, match.groups()))


def piece(part, is_loose):
    """A pattern for a part of a line; numbers become groups where they may differ."""
    if part == "…":
        return r".*?"
    if not is_loose:
        return re.escape(part)
    out, last = "", 0
    for number in NUMBER.finditer(part):
        out += re.escape(part[last:number.start()]) + r"([-+−]?\d+(?:\.\d+)?)"
        last = number.end()
    return out + re.escape(part[last:])


def near(a, b):
    """Whether two figures of models say the same: within a tenth, or two units of percent or of counts."""
    a, b = (float(text.replace("−", "-")) for text in (a, b))
    return abs(a - b) <= max(0.1 * max(abs(a), abs(b)), 2 if min(abs(a), abs(b)) > 5 else 0.05)
