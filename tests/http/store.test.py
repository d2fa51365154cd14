#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usherd on a store that is read-only, full, damaged, or not of this usher: a sentence, nothing changed."""
import os
import signal
import sqlite3
import subprocess
import unittest

from bed import BUILD, Bed, until

MIB = 1024 * 1024
PAGE = 4096


def can_mount():
    return os.getuid() == 0 and subprocess.run(
        ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False).returncode == 0


class Stores(Bed):
    def setUp(self):
        super().setUp()
        self.folder = f"{self.dir}/store"
        os.mkdir(self.folder)
        self.store = f"{self.folder}/usher.db"

    def make(self, n_groups=1):
        """A store with something in it, and nobody on it."""
        process = self.start()
        for i in range(n_groups):
            self.assertEqual(self.put(f"g{i:03}").status, 201)
        self.assertEqual(self.stop(process), 0)

    def put(self, name, text=""):
        return self.ask("PUT", f"/v1/groups/{name}", {"type": "pci", "description": text})

    def change(self, *sql):
        connection = sqlite3.connect(self.store)
        for statement in sql:
            connection.execute(statement)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    def read(self):
        with open(self.store, "rb") as file:
            return file.read()

    def write(self, data):
        with open(self.store, "wb") as file:
            file.write(data)

    def damage(self, page):
        with open(self.store, "r+b") as file:
            file.seek(page * PAGE)
            file.write(b"\x5a" * PAGE)

    def refuses(self, *sentences, within=()):
        """usherd ends at once, says what of the store in one line, and leaves it as it was."""
        before, names = self.read(), os.listdir(self.folder)
        done = subprocess.run([*within, f"{BUILD}/usherd", "--socket", self.socket, "--store", self.store],
                              capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (1, 1), done.stderr)
        self.assertTrue(done.stderr.startswith("usherd: "), done.stderr)
        for sentence in sentences:
            self.assertIn(sentence, done.stderr)
        self.assertFalse(os.path.exists(self.socket))
        self.assertEqual(self.read(), before)
        self.assertEqual(os.listdir(self.folder), names)

    def within_mounts(self, *commands):
        """The words that run a program in a mount namespace of its own, after some commands."""
        script = " && ".join([*commands, 'exec "$@"'])
        return ["unshare", "--mount", "sh", "-c", script, "sh"]


class Bad(Stores):
    def test_random_bytes(self):
        self.write(os.urandom(64 * 1024))
        self.refuses(f"'{self.store}'", "is damaged or no store, put back a backup")

    def test_cut(self):
        self.make(40)
        whole = self.read()
        for size in (PAGE * 3 + 17, len(whole) // 2, 100):
            self.write(whole[:size])
            self.refuses(f"'{self.store}'", "damaged")
        self.write(whole)
        self.start()
        self.assertEqual(len(self.cli_json("group", "list")), 40)

    def test_each_page(self):
        self.make(40)
        whole = self.read()
        for page in range(len(whole) // PAGE):
            self.write(whole)
            self.damage(page)
            self.refuses(f"'{self.store}'", "damaged")

    def test_newer(self):
        self.make()
        self.change("PRAGMA user_version = 2")
        self.refuses(f"'{self.store}'", "is of version 2, written by a newer usher; this one knows version 1")

    def test_anothers(self):
        self.change("CREATE TABLE recipes (name)")
        self.refuses(f"'{self.store}'", "is another program's file")

    def test_what_no_usher_wrote(self):
        self.make()
        for value, part in (("{", "line 1"), ('{"type":"pci","colour":1}', "colour"), ("[]", "an object")):
            self.change(f"UPDATE items SET value = '{value}' WHERE key = 'group/provider/g000'")
            self.refuses("stored key 'group/provider/g000': ", part)

    @unittest.skipIf(os.getuid() != 0, "needs root")
    def test_may_not_write(self):
        self.make()
        os.chmod(self.store, 0o444)
        os.chmod(self.folder, 0o755)
        self.refuses(f"'{self.store}'", "cannot be written",
                     within=["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"])

    @unittest.skipUnless(can_mount(), "needs to mount")
    def test_read_only_disk(self):
        self.make()
        read_only = self.within_mounts(f"mount --bind {self.folder} {self.folder}",
                                       f"mount -o remount,bind,ro {self.folder}")
        self.refuses(f"'{self.store}'", "cannot be written", within=read_only)


class Damaged(Stores):
    """Too large to be read through at the start: what is damaged is found when it is read."""

    def make_large(self, rows_a_revision):
        """Its log has changes of old, some of them on a damaged page."""
        self.make()
        rows = 72 * 1024
        self.change("INSERT INTO log WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                    f" WHERE i < {rows}) SELECT 2 + i / {rows_a_revision}, 'old/' || i, hex(zeroblob(500)), NULL FROM n",
                    "UPDATE state SET revision = (SELECT max(revision) FROM log)")
        self.assertGreater(os.path.getsize(self.store), 65 * MIB)
        self.damage(os.path.getsize(self.store) // PAGE // 2)
        self.problem = f"the store '{self.store}': it is damaged, put back a backup (database disk image is malformed)"
        return self.start()

    def test_found_when_read(self):
        process = self.make_large(rows_a_revision=100)
        self.assertEqual(self.ask("GET", "/v1/groups/g000").status, 200)
        stream = self.open_stream("/v1/groups?watch=1&since=1")
        error = {"code": "internal", "message": f"read {self.problem}"}
        self.assertEqual(stream.next(), {"type": "error", "error": error})
        with self.assertRaises(EOFError):
            stream.next()
        self.assertEqual(self.put("g001").status, 201)
        self.assertEqual(self.ask("GET", "/v1/groups/g001").status, 200)
        self.assertEqual(self.stop(process), 0)

    def test_found_when_written(self):
        process = self.make_large(rows_a_revision=1)  # so many that the next write drops the oldest
        answer = self.put("g001")
        self.assertEqual(answer.status, 500)
        self.assertEqual(answer.json()["error"]["message"], f"write {self.problem}")
        shown = self.cli("group", "create", "g001", "--type", "pci", status=1).stderr
        self.assertEqual(shown, f"usher: write {self.problem}\n")
        self.assertEqual(self.ask("GET", "/v1/groups/g001").status, 404)
        self.assertEqual(self.ask("GET", "/v1/groups/g000").status, 200)
        self.assertEqual(self.stop(process), 0)


@unittest.skipUnless(can_mount(), "needs to mount")
class Full(Stores):
    def start_on(self, *commands):
        """usherd with a disk of one MiB for its store."""
        small = self.within_mounts(f"mount -t tmpfs -o size=1m none {self.folder}", *commands)
        return self.spawn(*small, f"{BUILD}/usherd", "--socket", self.socket, "--store", self.store,
                          stderr=subprocess.PIPE, text=True)

    def give_space(self, process):
        subprocess.run(["nsenter", "--target", str(process.pid), "--mount",
                        "mount", "-o", "remount,size=8m", self.folder], check=True)

    def test_fills_up(self):
        process = self.start_on()
        until(self.answers)
        text = "x" * 40000
        answers = [self.put(f"g{i:03}", text) for i in range(40)]
        good = [answer for answer in answers if answer.status == 201]
        self.assertGreater(len(good), 3)
        self.assertEqual(answers[-1].status, 503)
        message = answers[-1].json()["error"]["message"]
        self.assertIn(f"write the store '{self.store}': no space is left on its disk", message)
        shown = self.cli("group", "create", "one-more", "--type", "pci", "--description", text, status=1).stderr
        self.assertEqual(shown, f"usher: {message}\n")
        self.assertEqual(len(self.cli_json("group", "list")), len(good))
        self.give_space(process)
        self.assertEqual(self.put("again", text).status, 201)
        self.assertEqual(len(self.cli_json("group", "list")), len(good) + 1)
        self.assertEqual(self.stop(process), 0)

    def test_no_space_to_begin(self):
        process = self.start_on(f"dd if=/dev/zero of={self.folder}/rest bs=4k status=none 2>/dev/null || :")
        self.assertEqual(process.wait(20), 1)
        told = process.stderr.read()
        self.assertEqual(told.count("\n"), 1)
        self.assertIn(f"usherd: open the store '{self.store}': no space is left on its disk", told)


class Second(Stores):
    def test_second_usherd(self):
        first = self.start()
        self.put("a")
        other = f"{self.dir}/other.sock"
        done = subprocess.run([f"{BUILD}/usherd", "--socket", other, "--store", self.store],
                              capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count("\n"), 1)
        self.assertIn(f"open the store '{self.store}': another process has it open", done.stderr)
        self.assertFalse(os.path.exists(other))
        self.assertEqual(self.put("b").status, 201)
        self.stop(first, signal.SIGKILL)
        self.start()
        self.assertEqual(len(self.cli_json("group", "list")), 2)


if __name__ == "__main__":
    unittest.main(verbosity=1)
