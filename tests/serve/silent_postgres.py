"""A server that speaks PostgreSQL's protocol (version 3) as far as the login, and then says nothing more."""

import socket
import struct
import threading

WELCOME = b"R" + struct.pack(">ii", 8, 0) + b"Z" + struct.pack(">i", 5) + b"I"  # AuthenticationOk, ReadyForQuery


class SilentPostgres:
    """Listens on a port of its own until closed. `logins` counts."""

    def __init__(self) -> None:
        self.logins = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = (
            f"postgresql://lapwing@127.0.0.1:{self._server.getsockname()[1]}/air?sslmode=disable&gssencmode=disable"
        )
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                one, _ = self._server.accept()
            except OSError:  # closed
                return
            self._open.append(one)
            (length,) = struct.unpack(">i", one.recv(4, socket.MSG_WAITALL))
            one.recv(length - 4, socket.MSG_WAITALL)
            self.logins += 1
            one.sendall(WELCOME)

    def close(self) -> None:
        """Nobody listens any more."""
        for one in (self._server, *self._open):
            one.close()
