# SPDX-License-Identifier: Apache-2.0
"""The wire between the commands outside and the runner inside (tests/vm/runner.c names the frames).

Exchange sits between: one end is QEMU's virtio port, the other a unix socket where each
connection is one command. Client is such a connection: it lends a command inside this
process's standard streams and returns its exit code.
"""

import fcntl
import os
import selectors
import signal
import socket
import struct
import sys
import termios
import tty

HEAD = struct.Struct("<IcxxxI")
CHUNK = 32768
STALLED = 4 << 20  # so many bytes may wait for one reader before everybody waits for it


def frame(channel, kind, data=b""):
    return HEAD.pack(channel, kind, len(data)) + data


class Frames:
    """Cuts a stream of bytes into frames."""

    def __init__(self):
        self.buffer = bytearray()

    def feed(self, data):
        self.buffer += data
        while len(self.buffer) >= HEAD.size:
            channel, kind, size = HEAD.unpack_from(self.buffer)
            if len(self.buffer) < HEAD.size + size:
                return
            body = bytes(self.buffer[HEAD.size:HEAD.size + size])
            del self.buffer[:HEAD.size + size]
            yield channel, kind, body


class Peer:
    """One connection of the exchange, with what waits to be written to it."""

    def __init__(self, sock, channel):
        sock.setblocking(False)
        self.sock = sock
        self.channel = channel
        self.frames = Frames()
        self.waiting = bytearray()
        self.events = 0  # what the selector looks for


class Exchange:
    """Carries frames between the port and any number of commands, each under a channel number."""

    def __init__(self, port):
        self.selector = selectors.DefaultSelector()
        self.port = Peer(port, 0)
        self.listener = None
        self.peers = {}
        self.last_channel = 0
        self.uptime = None  # of the machine when it was up, in seconds
        self.orders = []  # what clients want of us rather than of the machine
        self._expect(self.port, selectors.EVENT_READ)

    def listen(self, path):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(64)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ)

    def join(self, sock):
        """Takes a client's connection."""
        self.last_channel += 1
        peer = Peer(sock, self.last_channel)
        self.peers[peer.channel] = peer
        self._expect(peer, selectors.EVENT_READ)
        return peer.channel

    def tell(self, kind):
        """A word of our own to the machine."""
        self._write(self.port, frame(0, kind))

    def close(self):
        for peer in (self.port, *self.peers.values()):
            peer.sock.close()
        if self.listener:
            self.listener.close()

    def turn(self, timeout):
        """One round of the loop. Raises ConnectionError when the machine is gone."""
        for key, events in self.selector.select(timeout):
            if key.fileobj is self.listener:
                try:
                    self.join(self.listener.accept()[0])
                except OSError:
                    pass
            elif key.data.sock.fileno() >= 0:  # not forgotten in this very round
                if events & selectors.EVENT_WRITE:
                    self._flush(key.data)
                if events & selectors.EVENT_READ:
                    self._read(key.data)

    def _read(self, peer):
        try:
            data = peer.sock.recv(4 * CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if peer is self.port:
            if not data:
                raise ConnectionError
            for channel, kind, body in peer.frames.feed(data):
                self._from_machine(channel, kind, body)
        elif data:
            for _, kind, body in peer.frames.feed(data):
                self._from_client(peer, kind, body)
        else:
            # The client is gone, so is its reason to run: end the command.
            self._write(self.port, frame(peer.channel, b"S", struct.pack("<I", signal.SIGKILL)))
            self._forget(peer)

    def _from_machine(self, channel, kind, body):
        if kind == b"U":
            self.uptime = float(body)
        elif channel in self.peers:
            self._write(self.peers[channel], frame(channel, kind, body))

    def _from_client(self, peer, kind, body):
        if kind == b"Q":
            self.orders.append(body.decode())
        else:
            self._write(self.port, frame(peer.channel, kind, body))

    def _forget(self, peer):
        self._expect(peer, 0)
        peer.sock.close()
        self.peers.pop(peer.channel, None)
        self._pace()

    def _write(self, peer, data):
        peer.waiting += data
        self._flush(peer)

    def _flush(self, peer):
        try:
            while peer.waiting:
                sent = peer.sock.send(peer.waiting[:8 * CHUNK])
                del peer.waiting[:sent]
        except BlockingIOError:
            pass
        except OSError:
            if peer is self.port:
                raise ConnectionError from None
            peer.waiting.clear()  # its end of file is read in a moment
        self._pace()

    def _pace(self):
        """A reader that doesn't read holds up the machine's output instead of filling memory."""
        stalled = any(len(peer.waiting) > STALLED for peer in self.peers.values())
        for peer in (self.port, *self.peers.values()):
            events = selectors.EVENT_WRITE if peer.waiting else 0
            if peer is not self.port or not stalled:
                events |= selectors.EVENT_READ
            self._expect(peer, events)

    def _expect(self, peer, events):
        if events == peer.events:
            return
        if not events:
            self.selector.unregister(peer.sock)
        elif not peer.events:
            self.selector.register(peer.sock, events, peer)
        else:
            self.selector.modify(peer.sock, events, peer)
        peer.events = events


def connect(path):
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(path)
    return sock


def order(sock, word):
    """Tells the exchange's owner something: returns when it has closed the connection."""
    sock.sendall(frame(0, b"Q", word.encode()))
    while sock.recv(CHUNK):
        pass


class Client:
    """Runs one command inside, with this process's standard streams."""

    def __init__(self, sock):
        self.sock = sock
        self.frames = Frames()
        # poll() rather than epoll: standard input may be a file.
        self.selector = selectors.PollSelector()
        self.selector.register(self.sock, selectors.EVENT_READ, self._receive)
        self.asked_to_end = False
        self.result = None

    def run(self, argv, cwd, env):
        """Returns the command's exit code, or None when the machine went away."""
        terminal = os.isatty(0) and os.isatty(1)
        window = "%dx%d" % window_size() if terminal else ""
        variables = [f"{name}={value}" for name, value in env.items()]
        strings = [window, cwd, str(len(variables)), *variables, *argv]
        self._send(b"X", b"".join(os.fsencode(text) + b"\0" for text in strings))
        self._catch_signals()
        if not terminal:
            return self._carry()
        before = termios.tcgetattr(0)
        tty.setraw(0)
        try:
            return self._carry()
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, before)

    def _send(self, kind, data=b""):
        try:
            self.sock.sendall(frame(0, kind, data))
        except OSError:
            pass  # the machine is gone: the end of file that follows says so

    def _catch_signals(self):
        # Handled in the loop, not in the handler: a frame may be half written just now.
        self.alarms, alarm = socket.socketpair()
        alarm.setblocking(False)
        signal.set_wakeup_fd(alarm.detach(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH):
            signal.signal(number, lambda *_: None)
        self.selector.register(self.alarms, selectors.EVENT_READ, self._pass_signals)

    def _pass_signals(self):
        for number in self.alarms.recv(64):
            if number == signal.SIGWINCH:
                if os.isatty(0):
                    self._send(b"W", struct.pack("<II", *window_size()))
            elif self.asked_to_end:
                sys.exit(128 + number)  # the second one doesn't wait: the exchange ends the command
            else:
                self.asked_to_end = True
                self._send(b"S", struct.pack("<I", number))
        return True

    def _carry(self):
        while True:
            for key, _ in self.selector.select():
                if not key.data():
                    return self.result

    def _receive(self):
        """False when the command has ended."""
        try:
            data = self.sock.recv(8 * CHUNK)
        except OSError:
            data = b""
        for _, kind, body in self.frames.feed(data):
            if kind == b"A":  # one chunk at a time: the next when the command has taken the last
                self.selector.register(0, selectors.EVENT_READ, self._send_input)
            elif kind == b"R":
                self.result = struct.unpack("<I", body)[0]
            else:
                write_all(1 if kind == b"O" else 2, body)
        return data and self.result is None

    def _send_input(self):
        self.selector.unregister(0)
        try:
            data = os.read(0, CHUNK)
        except OSError:  # closed
            data = b""
        self._send(b"I", data)
        return True


def window_size():
    rows, columns, _, _ = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8))
    return rows, columns


def write_all(fd, data):
    """Ends the process as SIGPIPE would when nobody reads any more."""
    while data:
        try:
            data = data[os.write(fd, data):]
        except BrokenPipeError:
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGPIPE)
            sys.exit(141)
