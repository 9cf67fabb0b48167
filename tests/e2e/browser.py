# SPDX-License-Identifier: BSD-2-Clause
"""Looks at a page with headless Chromium: browser.py FOLDER ACTION...

FOLDER is for its profile.  Actions, in their order:
  size=WIDTHxHEIGHT  dark  light     as what it is shown
  open=URL                           and its load awaited
  wait=EXPRESSION                    until it is true, for ten seconds
  run=COMMAND                        a shell's
  key=Enter                          pressed
  print=EXPRESSION                   its value, as JSON
  shot=FILE                          a picture of the whole page, PNG
  forgive=TEXT                       what was said with it until now
Exit status 1 when an action fails, or the page has said an error to the console, thrown, asked for what its
policy forbids, or asked another host for anything; each is printed."""
import base64
import json
import os
import shutil
import subprocess
import sys
import time
from urllib.parse import urlparse

FLAGS = """--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking
--disable-component-update --disable-sync --disable-dev-shm-usage --disable-extensions --hide-scrollbars
--no-default-browser-check --remote-debugging-pipe""".split()
SLOW = int(os.environ.get("SLOW", "1"))
PATIENCE_S = 10 * SLOW


class Browser:
    def __init__(self, folder):
        theirs, self.to = os.pipe()
        self.back, ours = os.pipe()

        def pipes():
            os.dup2(theirs, 100)
            os.dup2(ours, 101)
            os.dup2(100, 3)
            os.dup2(101, 4)

        name = shutil.which("chromium") or shutil.which("chromium-browser") or "chromium"
        self.process = subprocess.Popen([name, *FLAGS, "--user-data-dir=" + folder], preexec_fn=pipes,
                                        close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs)
        os.close(ours)
        self.left, self.last, self.session, self.host = b"", 0, None, None
        self.faults, self.loaded = [], False
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for part in ("Page", "Runtime", "Log", "Network"):
            self.call(part + ".enable")

    def message(self):
        while b"\0" not in self.left:
            more = os.read(self.back, 1 << 20)
            if not more:
                sys.exit("the browser has ended")
            self.left += more
        one, self.left = self.left.split(b"\0", 1)
        return json.loads(one)

    def call(self, method, **params):
        self.last += 1
        what = {"id": self.last, "method": method, "params": params}
        if self.session:
            what["sessionId"] = self.session
        os.write(self.to, json.dumps(what).encode() + b"\0")
        while True:
            m = self.message()
            if m.get("id") == self.last:
                if "error" in m:
                    sys.exit("%s: %s" % (method, m["error"]["message"]))
                return m["result"]
            self.event(m)

    def event(self, m):
        p = m.get("params", {})
        kind = m.get("method")
        if kind == "Page.loadEventFired":
            self.loaded = True
        elif kind == "Runtime.exceptionThrown":
            d = p["exceptionDetails"]
            self.faults.append("exception: " + d.get("exception", {}).get("description", d["text"]))
        elif kind == "Runtime.consoleAPICalled" and p["type"] in ("error", "warning", "assert"):
            self.faults.append("console: " + " ".join(str(a.get("value")) for a in p["args"]))
        elif kind == "Log.entryAdded" and p["entry"]["level"] in ("error", "warning"):
            self.faults.append("log: %s %s" % (p["entry"]["text"], p["entry"].get("url", "")))
        elif kind == "Network.requestWillBeSent":
            url = urlparse(p["request"]["url"])
            if url.scheme != "data" and self.host and url.netloc != self.host:
                self.faults.append("asked elsewhere: " + p["request"]["url"])

    def value(self, expression):
        r = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in r:
            d = r["exceptionDetails"]
            sys.exit("%s: %s" % (expression, d.get("exception", {}).get("description", d["text"])))
        return r["result"].get("value")

    def open(self, url):
        self.host, self.loaded = urlparse(url).netloc, False
        self.call("Page.navigate", url=url)
        end = time.monotonic() + PATIENCE_S
        while not self.loaded and time.monotonic() < end:
            self.value("1")
            time.sleep(0.02)

    def wait(self, expression):
        end = time.monotonic() + PATIENCE_S
        while not self.value(expression):
            if time.monotonic() > end:
                sys.exit("has not come: " + expression + "; the page: " + self.value("document.body.innerText"))
            time.sleep(0.05)

    def size(self, words):
        width, height = (int(n) for n in words.split("x"))
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if width < 500 else 1, mobile=width < 500)

    def shot(self, path):
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        with open(path, "wb") as f:
            f.write(base64.b64decode(data))

    def press(self, key):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, text="\r", windowsVirtualKeyCode=13)

    def theme(self, name):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def act(self, action):
        verb, _, what = action.partition("=")
        if verb in ("dark", "light"):
            self.theme(verb)
        elif verb == "print":
            print(json.dumps(self.value(what)))
        elif verb == "forgive":
            self.value("1")
            self.faults = [f for f in self.faults if what not in f]
        elif verb == "run":
            subprocess.run(what, shell=True, check=True)
        else:
            {"size": self.size, "key": self.press, "open": self.open, "wait": self.wait, "shot": self.shot}[verb](what)


def main():
    browser = Browser(sys.argv[1])
    try:
        for action in sys.argv[2:]:
            browser.act(action)
        browser.value("1")  # what came last
        for fault in browser.faults:
            print("fault: " + fault)
    finally:
        browser.process.kill()
        browser.process.wait()
    sys.exit(1 if browser.faults else 0)


main()
