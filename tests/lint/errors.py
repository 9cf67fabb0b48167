#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Every error and warning that an operator can meet is in what some test expects.

Messages are the texts given to the functions below.  A message is in a test when an expected text
holds OWN characters in a row of its fixed text that no other message has, or matches all of it where
it has none of its own.  Expected texts are tests/unit/conf/*.err and golden files, the strings of
unit and packet tests, and the lines of stories without comments and without what a check is called.

Prints "FILE:LINE: what" for messages that no test expects, and for entries of errors.exempt that are
no such message any more; with --all a line for every message: where it is, and what it says."""
import collections
import glob
import re
import sys

EXEMPT = "tests/lint/errors.exempt"
OWN = 12  # characters in a row that tell a message from others
WORDS = 16  # a text that is not the first one of its call is a sentence from so many on

# Functions whose texts people read when something is wrong.
SAYS = set("""conf_complain conf_fail conf_piece_fail cli_failed cli_misused misused client_fail
    log_error log_warning engine_warn reply_words warn fail dp_fail dp_fail_os convert_remark doctor_find
    doctor_says found mend probe_cannot_ask tell_why""".split())
# So do these where they write a text of that name.
WRITES = re.compile(r"(\w+(->|\.)){0,2}(text|why|note|sentence)[,+]")
WRITERS = ("user/engine/", "user/pure/edits.c", "user/io/", "user/main/cmd_", "user/main/shuntd.c")
# What is in the brackets, or the body, of these is read so as well.
HOLDS = {"view_nexthop_advice", "why_not"}
# Events that are bad news.
NEWS = {"SHUNT_EVENT_RELOAD_REFUSED", "SHUNT_EVENT_SERVICE_EMPTY", "SHUNT_EVENT_OTHER"}
# Tables of such texts.
TABLES = {"user/engine/own.c"}

TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|(?P<text>"(?:\\.|[^"\\])*")|'(?:\\.|[^'\\])'|(?P<word>[A-Za-z_]\w*)
    |(?P<mark>[^\s\w])|\d\w*""", re.S | re.X)
DIRECTIVE = re.compile(r"%[-+ #0]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|j|z|t)?(?:[diouxXcspgf]|\0)")
GAP = "\0"  # what is filled in
ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "'": "'", "r": "\r", "0": ""}


def unescape(text):
    return re.sub(r"\\x[0-9a-fA-F]+|\\(.)", lambda m: ESCAPES.get(m[1], "?") if m[1] else "?", text,
                  flags=re.S)


def tokens(source):
    """(kind, text, line) of a C file, without comments and preprocessor lines."""
    source = re.sub(r"^[ \t]*#(?:[^\n\\]|\\.)*", lambda m: "\n" * m[0].count("\n"), source,
                    flags=re.M | re.S)
    out, line, at = [], 1, 0
    for m in TOKEN.finditer(source):
        line += source.count("\n", at, m.start())
        at = m.start()
        if m["text"]:
            out.append(("text", unescape(m["text"][1:-1]), line))
        elif m["word"]:
            out.append(("word", m["word"], line))
        elif m["mark"]:
            out.append(("mark", m["mark"], line))
    return out


def sentences(call):
    """The texts among the tokens of a call: neighbours are one, a macro between is a gap."""
    out, text, line, gap = [], None, 0, False
    for kind, word, at in call + [("mark", ",", 0)]:
        if kind == "text":
            line = line if text is not None else at
            text = (text or "") + (GAP if gap else "") + word
            gap = False
        elif kind == "word":
            gap = text is not None
        elif text is not None:
            out.append((text + (GAP if gap else ""), line))
            text, gap = None, False
    return out


def calls(toks):
    """(name, tokens within the brackets) of every call, also of those within calls."""
    for i in range(len(toks) - 1):
        if toks[i][0] != "word" or toks[i + 1][:2] != ("mark", "("):
            continue
        depth, end = 0, i + 1
        while end < len(toks):
            depth += (toks[end][:2] == ("mark", "(")) - (toks[end][:2] == ("mark", ")"))
            if depth == 0:
                break
            end += 1
        yield toks[i][1], toks[i + 2:end]
        if toks[i][1] in HOLDS:
            yield toks[i][1], body(toks, end + 1)


def body(toks, at):
    """The tokens of the braces at @at, if any."""
    if toks[at:at + 1] == [] or toks[at][1] != "{":
        return []
    depth, end = 0, at
    while True:
        depth += (toks[end][:2] == ("mark", "{")) - (toks[end][:2] == ("mark", "}"))
        if depth == 0:
            return toks[at:end]
        end += 1


def is_message(file, name, inside):
    if name in SAYS or name in HOLDS:
        return True
    if file.startswith("user/web/") and name in ("fputs", "fprintf"):
        return any("error" in t[1] or "not ready:" in t[1] for t in inside if t[0] == "text")
    if name == "engine_tell":
        return bool(NEWS & {t[1] for t in inside})
    if name in ("fputs", "puts"):
        return inside[-1][1] == "stderr"
    if name == "fprintf":
        return inside[:1] == [("word", "stderr", inside[0][2])]
    return name == "snprintf" and file.startswith(WRITERS) and \
        WRITES.match("".join(t[1] for t in inside[:6])) is not None


class Message:
    def __init__(self, text, where):
        self.text, self.where = text, where
        self.runs = [r for r in re.split(GAP, DIRECTIVE.sub(GAP, text).replace("%%", "%")) if r]
        self.grams = set().union(*map(grams, self.runs))

    def whole(self):
        text = DIRECTIVE.sub(GAP, self.text).replace("%%", "%").strip(GAP)
        return re.compile(r"\b" * text[:1].isalpha() +
                          "[^\n]*?".join(re.escape(p) for p in text.split(GAP)))

    def shown(self):
        return DIRECTIVE.sub("%s", self.text).replace(GAP, "%s").replace("\n", "\\n")


def messages():
    found = {}
    for file in sorted(glob.glob("user/*/*.c")):
        toks = tokens(open(file).read())
        for name, inside in [("warn", toks)] if file in TABLES else calls(toks):
            if not inside or not is_message(file, name, inside):
                continue
            for n, (text, line) in enumerate(sentences(inside)):
                m = Message(text, f"{file}:{line}")
                letters = len(re.sub("[^A-Za-z]", "", "".join(m.runs)))
                if letters < 4 or " " not in text or (n and max(map(len, m.runs)) < WORDS):
                    continue
                found.setdefault(m.shown(), m)
    return list(found.values())


# The first words of a line of a story whose next word says what is checked, not what is expected.
TITLED = re.compile(r"""^(\s*(?:if\s+|!\s*)?[a-z_]+)\s+"(?:\\.|[^"\\])*"(?=\s|$)""")


def of_story(line):
    line = re.sub(r"(^|\s)#\s.*", "", line)
    line = TITLED.sub(r"\1", line)
    line = re.sub(r"\\(.)", r"\1", line)
    return re.sub(r"\.[*+]|\$\{?\w+\}?|\$\(", "\1", line)


def read(*patterns):
    for pattern in patterns:
        for file in glob.glob(pattern):
            yield open(file, errors="replace").read()


def expected():
    """What tests of the whole program expect, and what all tests do.  A golden file of the commands has
    what a made-up daemon says, which is no word of the real one's."""
    whole = [of_story(line) for text in read("tests/e2e/*.sh", "tests/e2e/*.py")
             for line in text.split("\n")]
    for text in read("tests/unit/*.c", "tests/unit/run_*.h", "tests/packet/*.[ch]"):
        whole += [t for t, _ in sentences(tokens(text))]
    golden = read("tests/unit/conf/*.err", "tests/unit/golden/*", "tests/unit/convert/*.yaml",
                  "configs/convert/*.yaml")
    return "\n".join(whole), "\n".join([*whole, *golden])


def grams(text):
    return {text[i:i + OWN] for i in range(len(text) - OWN + 1)}


def untested(found):
    texts = expected()
    there = [grams(t) for t in texts]
    owners = collections.Counter(g for m in found for g in m.grams)
    for m in found:
        every = not m.where.startswith("user/engine/")
        own = {g for g in m.grams if owners[g] == 1}
        if not (own & there[every] if own else m.whole().search(texts[every])):
            yield m


def exempt():
    """{what is said: line}; in the file a line that begins with a letter is a reason."""
    out = {}
    for n, line in enumerate(open(EXEMPT), 1):
        if line.startswith("\t"):
            out[line[1:].rstrip("\n")] = n
    return out


def main():
    found = messages()
    if "--all" in sys.argv:
        for m in found:
            print(f"{m.where}: {m.shown()}")
        return 0
    missing = {m.shown(): m for m in untested(found)}
    known, may = {m.shown() for m in found}, exempt()
    said = [f"{m.where}: no test expects \"{t}\"" for t, m in missing.items() if t not in may]
    for t, line in may.items():
        if t not in missing:
            why = "a test expects" if t in known else "nothing says"
            said.append(f"{EXEMPT}:{line}: {why} \"{t}\"")
    for line in said:
        print(line)
    return bool(said)


sys.exit(main())
