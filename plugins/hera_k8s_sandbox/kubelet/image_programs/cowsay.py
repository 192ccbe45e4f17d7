"""A text in a speech bubble, as the image docker/whalesay prints it: cowsay [-W COLUMNS] TEXT ..."""

import sys
import textwrap

WIDTH = 40
ANIMAL = r"""
    \
     \     .
      \   ":"
        ___:____     |"\/"|
      ,'        `.    \  /
      |  O        \___/  |
    ~^~^~^~^~^~^~^~^~^~^~^~^~
"""


def bubble(text: str, width: int) -> str:
    """The text with a frame around it, folded at words."""
    lines = [each for line in text.splitlines() for each in textwrap.wrap(line, width) or [""]] or [""]
    longest = max(map(len, lines))
    sides = ["<>"] if len(lines) == 1 else ["/\\", *["||"] * (len(lines) - 2), "\\/"]
    framed = [f"{side[0]} {line:<{longest}} {side[1]}" for side, line in zip(sides, lines, strict=True)]
    return "\n".join([f" {'_' * (longest + 2)} ", *framed, f" {'-' * (longest + 2)} "])


def main(words: list[str]) -> int:
    """Print what the words say, or the standard input without any."""
    width = WIDTH
    while words and words[0].startswith("-") and len(words[0]) > 1:
        option = words.pop(0)
        if option == "--":
            break
        if option in ("-W", "-f", "-e", "-T"):  # the last three choose another look
            value = words.pop(0) if words else ""
            width = int(value) if option == "-W" and value.isdigit() else width
    text = " ".join(words) if words else sys.stdin.read().rstrip("\n")
    print(bubble(text, max(1, width - 1)) + ANIMAL.rstrip("\n"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
