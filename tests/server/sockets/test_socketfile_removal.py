"""The removal of a Unix socket's file, and what was in its place before; with real files and no reactor."""

import errno
import os
import stat

from echoproto.server.sockets.socketfile import SocketFile
from tests.server.sockets.test_socketfile import SocketFileCase


class RemoveTests(SocketFileCase):
    def test_ours(self) -> None:
        """X6."""
        self.file().remove()
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_successor_s(self) -> None:
        """X6."""
        file = self.file()
        os.unlink(self.path)
        self.other()
        file.remove()
        self.assertTrue(self.answers())

    def test_a_regular_file(self) -> None:
        """X6."""
        file = self.file()
        os.unlink(self.path)
        os.close(os.open(self.path, os.O_CREAT))
        file.remove()
        self.assertTrue(stat.S_ISREG(os.lstat(self.path).st_mode))

    def test_nothing(self) -> None:
        """X6: neither the file is there, nor its folder."""
        file = self.file()
        os.unlink(self.path)
        file.remove()

        self.path = os.path.join(os.fsencode(self.folder), b"gone", b"s")
        os.mkdir(os.path.dirname(self.path))
        file = self.file()
        os.unlink(self.path)
        os.rmdir(os.path.dirname(self.path))
        file.remove()

    def test_not_allowed(self) -> None:
        file = self.file()
        with self.as_nobody():
            self.assertRaises(PermissionError, file.remove)
        self.assertTrue(self.answers())

    def test_only_once(self) -> None:
        """A later file with the same inode is not ours any more."""
        file = self.file()
        file.remove()
        self.other()
        file.remove()
        self.assertTrue(self.answers())

    def test_socket_that_does_not_listen(self) -> None:
        """Nothing is left of it."""
        skt = self.unbound()
        skt.events["bound"] = skt.close
        self.assertRaises(OSError, SocketFile(self.path).listen, skt, 5, 0o660)
        self.assertEqual(os.listdir(self.folder), [])


class PutBackTests(SocketFileCase):
    def test_stale(self) -> None:
        """O5: the very file, and nothing beside it."""
        inode = self.stale()
        file = self.file(put_back=True)
        self.assertTrue(self.answers())
        self.assertNotEqual(self.inode(), inode)
        file.remove()
        self.assertEqual(self.inode(), inode)
        self.assertEqual(os.listdir(self.folder), ["s"])

    def test_free_path(self) -> None:
        self.file(put_back=True).remove()
        self.assertEqual(os.listdir(self.folder), [])

    def test_a_start_that_fails(self) -> None:
        inode = self.stale()
        skt = self.unbound()
        skt.events["bound"] = skt.close
        self.assertRaises(OSError, SocketFile(self.path, put_back=True).listen, skt, 5, 0o660)
        self.assertEqual(self.inode(), inode)
        self.assertEqual(os.listdir(self.folder), ["s"])

    def test_a_bind_that_fails(self) -> None:
        inode = self.stale()
        skt = self.unbound()
        skt.failures = [errno.EADDRINUSE, errno.ENOSPC]
        error = self.assertRaises(OSError, SocketFile(self.path, put_back=True).listen, skt, 5, 0o660)
        self.assertEqual(error.errno, errno.ENOSPC)
        self.assertEqual(self.inode(), inode)
        self.assertEqual(os.listdir(self.folder), ["s"])

    def test_another_server_has_come(self) -> None:
        """X6: its file stays; it would have removed the stale one itself."""
        self.stale()
        file = self.file(put_back=True)
        os.unlink(self.path)
        self.other()
        file.remove()
        self.assertTrue(self.answers())
        self.assertEqual(os.listdir(self.folder), ["s"])
