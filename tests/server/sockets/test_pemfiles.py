import os
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from echoproto.errors import ConfigurationError
from echoproto.server.sockets.pemfiles import MAX_FILE_SIZE, PEMFiles, PEMFolder, PEMSource
from tests.support.certificates import issue

PEM = issue("localhost").both


def lowest_free_descriptor() -> int:
    """It is higher when one was left open."""
    with open(os.devnull, "rb") as file:
        return file.fileno()


class PEMCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="echo-"))

    def write(self, name: str, content: bytes = PEM) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def complaint(self, source: PEMSource) -> str:
        return str(self.assertRaises(ConfigurationError, source.read))


class PEMFolderTests(PEMCase):
    def test_all_files_in_order_of_their_names(self) -> None:
        for name in ("b.pem", "a.pem", "DEFAULT.pem", "c.txt", "d.pem.old"):
            self.write(name)
        os.mkdir(os.path.join(self.folder, "sub"))
        self.write("sub/e.pem")
        found = [(os.path.basename(block.file), block.label) for block in PEMFolder(self.folder).read()]
        labels = ("CERTIFICATE", "PRIVATE KEY")
        self.assertEqual(found, [(name, label) for name in ("DEFAULT.pem", "a.pem", "b.pem") for label in labels])

    def test_without_files(self) -> None:
        self.write("a.crt")
        self.assertEqual(
            self.complaint(PEMFolder(self.folder)), f"{self.folder}: holds no .pem file with a certificate and its key"
        )
        self.assertEqual(self.complaint(PEMFolder("/nonexistent")), "/nonexistent: No such file or directory")

    def test_found_again_from_another_folder(self) -> None:
        self.write("a.pem")
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        folder, files = PEMFolder("."), PEMFiles(["a.pem"])
        os.chdir("/")
        self.assertEqual([block.file for block in folder.read()], ["./a.pem"] * 2)
        self.assertEqual([block.file for block in files.read()], ["a.pem"] * 2)

    def test_files_that_can_not_be_read(self) -> None:
        """S10: the line names the file; nothing waits for the other end of a pipe."""
        path, before = self.write("x.pem"), lowest_free_descriptor()
        for make, reason in (
            (lambda: os.mkdir(path), "Is a directory"),
            (lambda: os.mkfifo(path), "is not a regular file"),
            (lambda: os.symlink("x.pem", path), "Too many levels of symbolic links"),
            (lambda: os.symlink("nowhere", path), "No such file or directory"),
            (lambda: os.symlink("/dev/zero", path), "is not a regular file"),
            (lambda: self.write("x.pem", b""), "is empty"),
            (lambda: self.write("x.pem", b" \n"), "is empty"),
            (lambda: self.write("x.pem", bytes(range(256))), "holds neither a certificate nor a private key in"),
            (lambda: self.write("x.pem", PEM[:-10]), "is cut short: a block of PEM has no end"),
            (lambda: self.write("x.pem", PEM[:500] + PEM), "is cut short"),
        ):
            os.rmdir(path) if os.path.isdir(path) else os.unlink(path)
            make()
            self.assertIn(f"{path}: {reason}", self.complaint(PEMFolder(self.folder)))
        self.assertEqual(lowest_free_descriptor(), before)

    def test_a_file_without_end(self) -> None:
        path = self.write("x.pem")
        os.truncate(path, MAX_FILE_SIZE + 1)
        self.assertEqual(self.complaint(PEMFolder(self.folder)), f"{path}: is larger than 16 MiB")

    def test_one_that_may_not_be_read(self) -> None:
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        path = self.write("x.pem")
        os.chmod(self.folder, 0o755)
        os.chmod(path, 0o600)
        self.addCleanup(os.seteuid, 0)
        os.seteuid(65534)
        self.assertEqual(self.complaint(PEMFolder(self.folder)), f"{path}: Permission denied")


class PEMFilesTests(PEMCase):
    def test_each_is_read_once(self) -> None:
        files = PEMFiles([self.write("a"), self.write("b"), f"{self.folder}/./a"])
        self.assertEqual(len(files.read()), 4)
        self.assertEqual(str(PEMFiles(["a", "b", "a"])), "a, b")
