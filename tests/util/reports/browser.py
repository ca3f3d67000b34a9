"""A headless Chromium, driven by its DevTools protocol: what a person would do to a page, for the tests."""
import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time
import urllib.request

BROWSERS = 'chromium', 'chromium-browser', 'google-chrome'
TIMEOUT = 60  # seconds


def find_browser():
    """The path of a Chromium on this machine; None where there is none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


class Page:
    """A page that is open in a browser."""

    def __init__(self, socket):
        self._socket, self._numbers = socket, itertools.count(1)
        self.events = []  # what the browser has told meanwhile
        self.do('Runtime.enable')
        self.do('Page.enable')
        self.do('Network.enable')

    def do(self, method, **parameters):
        """A command of the protocol; returns its result."""
        number = next(self._numbers)
        self._socket.send(json.dumps({'id': number, 'method': method, 'params': parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get('id') == number:
                assert 'error' not in message, message
                return message['result']
            self.events.append(message)

    def ask(self, expression):
        """The value of a JavaScript expression; promises are waited for."""
        result = self.do('Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True)
        assert 'exceptionDetails' not in result, result['exceptionDetails']
        return result['result'].get('value')

    def wait_for(self, expression):
        """Until an expression is true."""
        end = time.monotonic() + TIMEOUT
        while not self.ask(expression):
            assert time.monotonic() < end, f'{expression} has not come true'
            time.sleep(0.05)

    def open(self, path):
        """Open a file, and wait until its scripts have run."""
        self.do('Page.navigate', url=path.resolve().as_uri())
        self.wait_for('document.readyState === "complete"')

    def press(self, key):
        """A key, down and up."""
        for kind in ('keyDown', 'keyUp'):
            self.do('Input.dispatchKeyEvent', type=kind, key=key)

    def mouse(self, kind, x, y, **more):
        """A mouse event, in CSS pixels: mousePressed, mouseMoved, mouseReleased, mouseWheel."""
        self.do('Input.dispatchMouseEvent', type=kind, x=x, y=y, **more)

    def resize(self, width, height):
        self.do('Emulation.setDeviceMetricsOverride', width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme):
        """As if the system were set to light or dark."""
        self.do('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': scheme}])

    def screenshot(self, path, **more):
        path.write_bytes(base64.b64decode(self.do('Page.captureScreenshot', format='png', **more)['data']))


@contextlib.contextmanager
def browsing(folder):
    """A Page of a browser of its own, whose profile lies in a folder."""
    import websocket  # of requirements-dev.txt

    arguments = ['--headless=new', '--remote-debugging-port=0', f'--user-data-dir={folder}', '--remote-allow-origins=*',
                 '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--hide-scrollbars',
                 *(['--no-sandbox'] if os.geteuid() == 0 else []), 'about:blank']  # root has no sandbox
    process = subprocess.Popen([find_browser(), *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        told, end = folder / 'DevToolsActivePort', time.monotonic() + TIMEOUT
        while not (told.exists() and told.read_text().count('\n')):
            assert process.poll() is None and time.monotonic() < end, 'the browser does not start'
            time.sleep(0.05)
        port = told.read_text().split()[0]
        with urllib.request.urlopen(f'http://127.0.0.1:{port}/json/list', timeout=TIMEOUT) as answer:
            target = next(target for target in json.load(answer) if target['type'] == 'page')
        socket = websocket.create_connection(target['webSocketDebuggerUrl'], timeout=TIMEOUT)
        try:
            yield Page(socket)
        finally:
            socket.close()
    finally:
        process.terminate()
        process.wait(TIMEOUT)
