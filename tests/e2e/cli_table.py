# SPDX-License-Identifier: BSD-2-Clause
"""Every command of shunt's table: its help, its options, and that what --json prints is what its help
says it prints.  cli_table.py SHUNT... runs `SHUNT... COMMAND`; results are lines "ok WORDS" and
"not ok WORDS: why"."""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

SHUNT = sys.argv[1:]
SERVICE, BACKEND, FILE = "web", "b1", "@FILE@"

# What its kind does not say: arguments of commands that want something else, each a run of its own.
RUNS = {
    "weight": [["web", "b1", "1"]],
    "log-level": [[], ["info"]],
    "history": [["web", "b1"]],
    "stats": [[], ["web"], ["--all"]],
    "fingerprint": [[], ["web"]],
    "upgrade": [["--status"], ["--rollback"]],
    "drain": [["web", "b2", "--deadline", "1s", "--wait"]],
    "help": [[], ["stats"]],
    "flows": [[]],
    "trace": [["--count", "1", "--seconds", "30"]],
    "explain": [["web"], ["192.0.2.7:1", "203.0.113.10:80"], ["192.0.2.7:1", "203.0.113.10:80", "--bytes"]],
    "plan": [["@FILE@.next"]],
    "setup": [["verify", "vip=203.0.113.10", "address=10.0.0.2", "forward=dsr"]],
}
# Commands that do not end by themselves: a signal ends them so many seconds after they have said something.
ENDLESS = {"events": 0.5}
# A change while they run, so that they have something to say.
MEANWHILE = {"events": ["disable", "web", "b1"]}


def run(*words, **kw):
    return subprocess.run(SHUNT + list(words), capture_output=True, text=True, **kw)


def parts(text):
    """What is said of a key is left out, and commas within."""
    out, depth = "", 0
    for c in text:
        depth += c == "("
        if not depth:
            out += c
        depth -= c == ")"
    assert depth == 0, f"brackets do not match: {text}"
    return out


class Keys:
    """The list of keys as help prints it: {name: None, an inner dictionary or (list,)}."""

    def __init__(self, text, all_docs, follow=True):
        self.follow = follow
        self.tokens = re.findall(r"as in [a-z]+|\.\.\.|[\w?]+|[][{},]", parts(text))
        self.docs, self.optional = all_docs, set()
        left = re.sub(r"as in [a-z]+|\.\.\.|[\w?]+|[][{},]|\s", "", parts(text))
        assert not left, f"cannot read {left!r} in {text!r}"

    def read(self, end=None, path=""):
        out = {}
        while self.tokens and self.tokens[0] != end:
            name = self.tokens.pop(0)
            key = name.rstrip("?")
            if name.endswith("?"):
                self.optional.add(path + key)
            out[key] = None
            if self.tokens and self.tokens[0] in "[{":
                closing = "]" if self.tokens.pop(0) == "[" else "}"
                out[key] = self.inner(key, closing, path)
                assert self.tokens.pop(0) == closing
            if self.tokens and self.tokens[0] == ",":
                self.tokens.pop(0)
        return out

    def inner(self, key, closing, path):
        if self.tokens[0].startswith("as in "):
            name = self.tokens.pop(0)[6:]
            if not self.follow:
                return None
            other = Keys(self.docs[name][0], self.docs, False)
            found = other.read(None)
            self.optional |= {path + o for o in other.optional}
            return found[key]
        return self.read(closing, f"{path}{key}.")


def compare(keys, value, path, seen, said):
    if isinstance(value, list):
        for v in value:
            if isinstance(v, dict):
                compare(keys, v, path, seen, said)
        return
    if not isinstance(value, dict):
        return
    for k, v in value.items():
        seen.add(path + k)
        if keys is None or (k not in keys and "..." not in keys):
            said.append(f"{path}{k} is printed, not documented")
        elif k in keys:
            compare(keys[k], v, f"{path}{k}.", seen, said)


def all_paths(keys, path=""):
    for k, inner in (keys or {}).items():
        if k == "...":
            continue
        yield path + k
        yield from all_paths(inner, f"{path}{k}.")


def documents(text):
    decoder, at, out = json.JSONDecoder(), 0, []
    text = text.strip()
    while at < len(text):
        d, at = decoder.raw_decode(text, at)
        out.append(d)
        while at < len(text) and text[at].isspace():
            at += 1
    return out


def runs_of(c):
    if c["name"] in RUNS:
        return RUNS[c["name"]]
    kinds = {"service": SERVICE, "backend": BACKEND, "file": FILE, "command": "stats"}
    words = []
    for t in c["takes"]:
        if not t["needed"] and t["kind"] not in kinds:
            break
        words.append(t["words"].split()[0] if t["kind"] == "words" else kinds[t["kind"]])
    return [words]


def printed_by(name, words):
    """All documents of the command with these arguments."""
    if name not in ENDLESS:
        r = run(name, *words, "--json", timeout=60)
        assert r.stdout or r.returncode == 0, r.stderr
        return documents(r.stdout)
    with subprocess.Popen(SHUNT + [name, *words, "--json"], stdout=subprocess.PIPE, text=True) as p:
        end = time.monotonic() + 60
        said = False
        while not said and p.poll() is None and time.monotonic() < end:  # it may not listen yet
            run(*MEANWHILE[name])
            run("enable", *MEANWHILE[name][1:])
            said = select.select([p.stdout], [], [], 1)[0]
        if p.poll() is None:
            time.sleep(ENDLESS[name])
            p.terminate()
        return documents(p.stdout.read())


def check_json(c, docs):
    kinds = []  # of documents: keys, and what may be left out
    for line in docs[c["name"]]:
        k = Keys(line, docs)
        kinds.append((k.read(), k.optional))
    seen, said = [set() for _ in kinds], []
    for words in runs_of(c):
        got = printed_by(c["name"], [w.replace(FILE, CONFIG) for w in words])
        assert got, "nothing is printed"
        for d in got:
            assert d.pop("schema") == 1, "no schema"
            # the kind that has most of its keys
            i = max(range(len(kinds)), key=lambda n: len(set(d) & set(kinds[n][0])))
            compare(kinds[i][0], d, "", seen[i], said)
    assert not said, said
    for i, (keys, optional) in enumerate(kinds):
        if not seen[i]:
            continue  # a kind of document that did not come
        missing = [p for p in all_paths(keys)
                   if p not in seen[i] and not any(p == o or p.startswith(o + ".") for o in optional)]
        assert not missing, f"documented, not printed: {missing}"


def check_help(c):
    text = run("help", c["name"]).stdout
    assert text == run(c["name"], "--help").stdout or not c["options"] and c["name"] == "decap"
    assert max(map(len, text.splitlines())) <= 80, "wider than 80 columns"
    assert not any(line != line.rstrip() for line in text.splitlines()), "space at the end"
    assert text.startswith(f"Usage: shunt {c['name']}"), text
    for o in c["options"]:
        assert f"--{o['name']}" in text, o["name"]
    for line in c["examples"].splitlines():
        assert len(line) <= 76, line
        assert f"shunt {c['name']}" in line, line
    assert c["summary"][0].islower() or c["summary"][0].isdigit(), "summary begins with a capital"
    assert not c["summary"].endswith("."), "summary ends with a stop"
    assert len(c["summary"]) <= 65, "summary is long"


def on_terminal(columns, *words):
    pid, fd = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execv(SHUNT[0], SHUNT + list(words))
    out = b""
    try:
        while chunk := os.read(fd, 65536):
            out += chunk
    except OSError:  # the other end is closed
        pass
    os.close(fd)
    os.waitpid(pid, 0)
    return out.decode().replace("\r", "")


def check_narrow(*words):
    text = on_terminal(40, *words)
    assert len(text) > 100, text
    text = text.split("\nExample")[0]  # these stay in one piece
    wide = [line for line in text.splitlines() if len(line) > 40]
    assert not wide, wide
    assert text.split() == run(*words).stdout.split("\nExample")[0].split(), "words are lost"


def check_narrow_table(*words):
    """What a person reads on 40 columns: nothing is wider, and the terminal folds nothing."""
    text = re.sub(r"\033\[[0-9;]*m", "", on_terminal(40, *words))
    wide = [line for line in text.splitlines() if len(line) > 40]
    assert not wide, wide


def check_closed_pipe(*words):
    """A reader that has seen enough: it ends as tools do, and says nothing."""
    there, here = os.pipe()
    os.close(there)  # before it begins: else it may have ended by then, as it does when all is read
    p = subprocess.Popen(SHUNT + list(words), stdout=here, stderr=subprocess.PIPE)
    os.close(here)
    said = p.stderr.read()
    assert p.wait(60) in (-signal.SIGPIPE, 0) and not said, (p.returncode, said)


def attempt(words, function, *args):
    try:
        function(*args)
        print("ok", words)
    except Exception as e:  # whatever it is, the next one is looked at
        print("not ok", words + ":", type(e).__name__, str(e)[:400].replace("\n", " "))


def main():
    table = json.loads(run("help", "--json").stdout)
    commands = table["commands"]
    docs = {}
    for c in commands:
        if c["json"]:
            docs[c["name"]] = [re.sub(r"^[^][{}]*: ", "", parts(line))
                               for line in c["json"].splitlines()]
    attempt("help on 40 columns", check_narrow, "help")
    for name in ("status", "services", "backends", "stats", "history", "fingerprint", "flows", "plan",
                 "explain", "upgrade"):
        words = [name] + [w.replace(FILE, CONFIG) for w in RUNS.get(name, [[]])[0]]
        attempt(f"{name} on 40 columns", check_narrow_table, *words)
    for c in commands:
        if c["name"] not in ENDLESS and c["name"] not in ("decap", "top", "drain", "upgrade", "convert",
                                                     "trace", "capture"):
            words = [w.replace(FILE, CONFIG) for w in runs_of(c)[0]]
            attempt(f"{c['name']} into a pipe that is closed", check_closed_pipe, c["name"], *words)
    for c in commands:
        attempt(f"help of {c['name']}", check_help, c)
        attempt(f"help of {c['name']} on 40 columns", check_narrow, "help", c["name"])
        if c["json"]:
            attempt(f"{c['name']} --json is as documented", check_json, c, docs)
    assert len(table["statuses"]) >= 4


CONFIG = SHUNT.pop()
main()
