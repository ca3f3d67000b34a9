"""An HTTP server on this machine that fails as it is told to."""
import http.server
import re
import threading
import time


class Web(http.server.ThreadingHTTPServer):
    """Serves ``content`` (path -> bytes); the first requests of a path are answered by its ``faults``, one each.

    A fault is a function of (handler, content). What was asked for is in ``requests``, (path, Range header or None).
    """
    daemon_threads = True

    def __init__(self):
        super().__init__(('127.0.0.1', 0), _Handler)
        self.content, self.faults, self.requests = {}, {}, []
        self.url = f'http://127.0.0.1:{self.server_port}/'
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request, client_address):
        """A client that goes away is no error."""


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip('/')
        self.server.requests.append((name, self.headers.get('Range')))
        faults, content = self.server.faults.get(name), self.server.content.get(name)
        answer = faults.pop(0) if faults else missing if content is None else whole
        answer(self, content)

    def log_message(self, *args):
        pass

    def start(self, code, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), str(value))
        self.end_headers()


def whole(handler, content, ranges=True):
    """The content, or the range of it that was asked for."""
    match = ranges and re.fullmatch(r'bytes=(\d+)-', handler.headers.get('Range', ''))
    start = int(match[1]) if match else 0
    headers = {'Content_Range': f'bytes {start}-{len(content) - 1}/{len(content)}'} if match else {}
    handler.start(206 if match else 200, Content_Length=len(content) - start, **headers)
    handler.wfile.write(content[start:])


def missing(handler, content):
    handler.start(404, Content_Length=0)


def status(code, **headers):
    return lambda handler, content: handler.start(code, Content_Length=0, **headers)


def no_ranges(handler, content):
    whole(handler, content, ranges=False)


def wrong_range(handler, content):
    handler.start(206, Content_Length=len(content), Content_Range=f'bytes 0-{len(content) - 1}/{len(content)}')
    handler.wfile.write(content)


def cut(count, seconds=0.0):
    """The first bytes, then silence, then the end of the connection."""
    def answer(handler, content):
        start = int((handler.headers.get('Range') or 'bytes=0-')[6:-1])
        headers = {'Content_Range': f'bytes {start}-{len(content) - 1}/{len(content)}'} if start else {}
        handler.start(206 if start else 200, Content_Length=len(content) - start, **headers)
        handler.wfile.write(content[start:start + count])
        time.sleep(seconds)
    return answer


def cut_whole(count):
    """As `cut`, of a server that knows no ranges."""
    def answer(handler, content):
        handler.start(200, Content_Length=len(content))
        handler.wfile.write(content[:count])
    return answer


def unsized(handler, content):
    """All of it without a word how much it is."""
    handler.start(200)
    handler.wfile.write(content)


def hang_up(handler, content):
    """No answer at all."""
